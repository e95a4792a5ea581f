"""What a run is made from, kept so that it can be reported, resumed and repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator

from partedvae.config import Config
from partedvae.data import DataError, Dataset, Reading, choose_labelled, hold_out, load
from partedvae.data.subsets import random_rows
from partedvae.fingerprint import fingerprint_of
from partedvae.layout import Layout
from partedvae.persistence import RUN_PLAN, ModelFileError, SavedSettings

RUN, METRICS, REPORT, SKIPPED = RUN_PLAN, "metrics.json", "report.html", "skipped.csv"

PLACES = ("data_dir", "label_file", "groups")
"""Options of ``Reading`` that say where something lies, not what is read."""

_TAUGHT = 10_000  # rows that the judge of swaps learns from


class RunError(ValueError):
    """A run folder that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Choice:
    """Which rows of a data set keep their labels, and which are held out."""

    labels: int | None = None
    labels_per_class: int | None = None
    holdout: float = 0.0


class Plan(BaseModel):
    """Everything that a run is made from; ``run.json`` holds it.

    ``labelled`` and ``held_out`` are row numbers of the data, so that the run can be repeated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    reading: Reading
    n_rows: int
    fingerprint: str | None = None  # of the rows, and of the labels that training sees; earlier runs have none
    labelled: list[int]
    held_out: list[int]
    choice: Choice | None = None  # by which they were chosen; earlier runs do not say
    settings: SavedSettings
    _moved_from: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        """Row numbers that the data have, each once; what is held out is not labelled too."""
        rows = [*self.labelled, *self.held_out]
        if any(not 0 <= row < self.n_rows for row in rows) or len(set(rows)) < len(rows):
            raise ValueError(f"labelled and held_out should be rows from 0 to {self.n_rows - 1}, each at most once")
        return self

    def data(self) -> Dataset:
        """The data set, read again.

        Raises:
            DataError: it is not what the run began with.
        """
        if Path(self.source).is_absolute() and not Path(self.source).exists():
            raise DataError(
                f"{self.source}, which the run was trained on, is not there. Bring it back, or name as DATA where it "
                "is now."
            )
        data = load(self.source, self.reading)
        before = self._moved_from
        what = "no longer what the run began with" if before is None else f"not {before}, which the run began with"
        if len(data) != self.n_rows:
            raise DataError(f"{self.source} is {what}: it has {len(data):,} observations, not {self.n_rows:,}.")
        if self.fingerprint is not None and not self.is_of(data):
            raise DataError(
                f"{self.source} is {what}: the observations, or the labels that it learned, are others. Bring it back, "
                "or train again."
            )
        return data

    def moved(self, source: str, places: Mapping[str, str]) -> Self:
        """The same plan, of data that lie elsewhere by now; reading them tells whether they are the same.

        Args:
            source: where they are.
            places: options of ``Reading``, of ``PLACES``, that say where what belongs to them is.

        Raises:
            DataError: there is nothing, or the run keeps nothing by which the data could be told from others.
        """
        if Path(source).is_absolute() and not Path(source).exists():
            raise DataError(f"{source} is not there; the run was trained on {self.source}.")
        if self.fingerprint is None:
            raise DataError(f"The run knows its data by their name alone, {self.source}. Move them back there.")
        there = self.model_copy(update={"source": source, "reading": self.reading.model_copy(update=dict(places))})
        there._moved_from = self.source
        return there

    def is_of(self, data: Dataset) -> bool:
        """Whether these are the observations that the run began with, and the labels that it learned."""
        there = bool(data.attributes) and len(data) == self.n_rows
        return there and self.fingerprint == _fingerprint(data, self.labelled)


@dataclass(frozen=True)
class Parts:
    """A data set divided: what training sees, labels hidden but for the chosen ones, and what is held out."""

    training: Dataset
    held_out: Dataset

    @classmethod
    def of(cls, plan: Plan, data: Dataset) -> Parts:
        """The division that a plan names."""
        rows = np.setdiff1d(np.arange(len(data)), plan.held_out)
        return cls(data.with_labels_of(plan.labelled).take(rows), data.take(plan.held_out))


def make_plan(source: str, reading: Reading, data: Dataset, choice: Choice, settings: Config) -> Plan:
    """Choose the rows held out, and among the others those that keep their labels, by the seed of the settings.

    Raises:
        DataError: they cannot be chosen so, or the observations are nothing to learn from.
    """
    seed = settings.random_state or 0
    if not data.attributes:
        raise DataError(f"{source} has no labels; a few per class are needed to learn which classes there are.")
    if choice.holdout and reading.streaming:
        raise DataError("--holdout: a stream cannot be divided. Name the part to train on with --split.")
    try:
        Layout.of(data.x)
    except ValueError as error:
        raise DataError(f"{source}: {error}") from None
    everything = np.arange(len(data))
    rows, held = hold_out(data, choice.holdout, seed) if choice.holdout else (everything, everything[:0])
    candidates = data.take(rows)
    if choice.labels is None and choice.labels_per_class is None:
        chosen = candidates.labelled
    else:
        chosen = choose_labelled(candidates, choice.labels, choice.labels_per_class, seed)
    labelled = rows[chosen].tolist()
    return Plan(
        source=source,
        reading=reading,
        n_rows=len(data),
        fingerprint=_fingerprint(data, labelled),
        labelled=labelled,
        held_out=held.tolist(),
        choice=choice,
        settings=settings,
    )


def _fingerprint(data: Dataset, labelled: list[int]) -> str:
    """Not of the other labels: more may be added to a file when the run is over, and of other classes."""
    known = data.with_labels_of(labelled)
    ranks = [np.unique(column, return_inverse=True)[1] for column in known.codes.T]
    return fingerprint_of(replace(known, codes=np.stack(ranks, axis=1)))


def read_plan(folder: Path) -> Plan:
    """``run.json`` of a run.

    Raises:
        ModelFileError: there is none, or it is damaged.
    """
    path = folder / RUN
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{folder} is not a run: {path} is missing.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ModelFileError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def plan_of(folder: Path, source: str, split: str | None) -> Plan | None:
    """The plan of a run on a source, as far as names tell; none if it was on another, or is not a run but a model."""
    if not (folder / RUN).exists():
        return None
    plan = read_plan(folder)
    other_split = None not in (split, plan.reading.split) and split != plan.reading.split
    return plan if same_source(source, plan.source) and not other_split else None


def plan_of_equal(folder: Path, data: Dataset) -> Plan | None:
    """The plan of a run on these observations, whatever their file is called now; none if they are others."""
    plan = read_plan(folder) if (folder / RUN).exists() else None
    return plan if plan is not None and plan.is_of(data) else None


def same_source(one: str, other: str) -> bool:
    """Whether two names are of the same source; a file or a folder may have several."""
    here, there = Path(one), Path(other)
    return here.absolute() == there.absolute() or (here.exists() and there.exists() and here.samefile(there))


def still_to_label(plan: Plan | None, data: Dataset) -> Dataset:
    """What there is to ask about, with the labels that there are.

    Args:
        plan: that of the run that asks, if the data are those it was trained on. What it held out is left out; and of
            data that miss no label those that the run saw are there, as if the others were still to come.
        data: the observations.
    """
    if plan is None or plan.n_rows != len(data):
        return data
    known = data.with_labels_of(plan.labelled) if data.complete.all() else data
    return known.take(np.setdiff1d(np.arange(len(data)), plan.held_out))


def judged(plan: Plan) -> tuple[Dataset, Dataset]:
    """What a run is measured on, and what the judge of its swaps may learn from: the other labelled rows.

    Measured on are the rows held out; if there are none, half of those whose labels were hidden from training.

    Raises:
        RunError: every label was used in training.
    """
    data = plan.data()
    if plan.held_out:
        rows = np.array(plan.held_out)
    else:
        hidden = np.setdiff1d(data.labelled, plan.labelled)
        rows = np.sort(np.random.default_rng(0).permutation(hidden)[: len(hidden) // 2])
        if not len(rows):
            raise RunError("Training saw every label of the run. Name other DATA, or train with --holdout.")
    others = np.setdiff1d(data.labelled, rows)
    return data.take(rows), data.take(others[random_rows(len(others), _TAUGHT)])
