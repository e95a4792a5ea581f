"""What a search was begun with, so that it is not gone on with on something else: scores could not be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from partedvae.config import Config, to_json
from partedvae.data import Dataset
from partedvae.fingerprint import fingerprint_of
from partedvae.plans import RunError
from partedvae.settings import SettingError

_BEGUN = "begun"


def require_same(
    study: optuna.Study,
    settings: Config,
    choices: Mapping[str, Sequence[Any] | None],
    parts: Sequence[Dataset],
) -> None:
    """Note what a study is begun with, or refuse to go on with other things.

    Args:
        study: new, or begun before, by this process or another machine.
        settings: those that are not searched count.
        choices: of each setting that is searched; ``None`` for a range, which may change.
        parts: what is learned from, and what judges.

    Raises:
        SettingError: other choices of a setting that is searched.
        RunError: other settings, or other data.
    """
    here: dict[str, Any] = {
        "choices": {name: None if values is None else list(values) for name, values in choices.items()},
        "settings": {name: value for name, value in to_json(settings).items() if name not in choices},
        "data": [fingerprint_of(part) for part in parts],
    }
    there = study.user_attrs.get(_BEGUN)
    if there is None:
        study.set_user_attr(_BEGUN, here)
        return
    other = next((name for name in choices if here["choices"][name] != there["choices"].get(name, "absent")), None)
    other = other or next((name for name in there["choices"] if name not in choices), None)
    if other is not None:
        raise SettingError(
            f"--search {other}: the study was begun with other choices. Go on with those, or begin another: --out."
        )
    for name, value in there["settings"].items():
        if here["settings"].get(name) != value:
            raise RunError(
                f"--out: the study was begun with {name}={value!r}, not {here['settings'].get(name)!r}. "
                "Go on with that, or begin another: --out."
            )
    if here["data"] != there["data"]:
        raise RunError("--out: the study was begun on other observations, labels or rows held out. Begin another.")
