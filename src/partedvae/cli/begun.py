"""The plan of a run that was begun, for who goes on with it or looks at it again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partedvae.cli.errors import UsageError
from partedvae.cli.reading import Given

if TYPE_CHECKING:
    from partedvae.plans import Plan


def plan_of_run(run: Path, data: str, given: Given) -> Plan:
    """The plan of a run, whose DATA, and what belongs to them, may lie elsewhere by now.

    Raises:
        UsageError: DATA would be read otherwise than when the run began.
    """
    from partedvae import plans
    from partedvae.data import Reading

    plan = plans.read_plan(run)
    before = {name: getattr(plan.reading, name) for name in given}
    now = {name: getattr(Reading(**given), name) for name in given}
    places = {name: now[name] for name in plans.PLACES if before.get(name) not in (None, now.get(name))}
    require_same(run, ((name, now[name], before[name]) for name in given if name not in places))
    if places or not plans.same_source(plan.source, data):
        return plan.moved(data, places)
    return plan


def require_same(run: Path, again: Iterable[tuple[str, Any, Any]]) -> None:
    """That what is typed again, by name, now and before, is what the run was begun with.

    Raises:
        UsageError: something is not.
    """
    for name, now, before in again:
        if now != before:
            raise UsageError(
                f"{run} was begun with {name}={before!r}, not {now!r}. Leave it out: a run stays as it was begun."
            )
