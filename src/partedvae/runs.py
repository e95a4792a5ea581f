"""A run: what was trained on what, kept in a folder so that it can be reported, resumed and repeated."""

from __future__ import annotations

import json
import math
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from partedvae.checkpoints import (
    LAST,
    MINUTES,
    PREVIOUS,
    CheckpointError,
    DamagedCheckpointError,
    DamagedCheckpointWarning,
    newest_whole,
)
from partedvae.config import Config
from partedvae.data import DataError, Dataset, Reading, choose_labelled, hold_out, load
from partedvae.data.dataset import Skipped
from partedvae.data.images import in_unit_range
from partedvae.data.lazy import Rows, chunks, in_memory
from partedvae.data.subsets import random_rows
from partedvae.estimator import PartedVAE
from partedvae.metrics import Evaluation
from partedvae.persistence import CONFIG, HISTORY, WEIGHTS, ModelFileError, SavedSettings, write_whole
from partedvae.processes import writes_files
from partedvae.report import write_report
from partedvae.report.sections import Subject
from partedvae.supervision import ConflictingLabelsWarning
from partedvae.tables import write_csv

RUN, METRICS, REPORT, SKIPPED = "run.json", "metrics.json", "report.html", "skipped.csv"
CHECKPOINTS, FIGURES, LOGS = "checkpoints", "figures", "logs"

_OF_TRAINING = ("n_training", "n_labelled", "n_test", "test_accuracy", "test_mse")
_TAUGHT = 10_000  # rows that the judge of swaps learns from
_SHOWN = 5_000  # of observations that are not in memory, so many are read for the report


class RunError(ValueError):
    """A run folder that cannot be used; the message says what to do."""


class Plan(BaseModel):
    """Everything that a run is made from; ``run.json`` holds it.

    ``labelled`` and ``held_out`` are row numbers of the data, so that the run can be repeated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    reading: Reading
    n_rows: int
    labelled: list[int]
    held_out: list[int]
    settings: SavedSettings

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
        data = load(self.source, self.reading)
        if len(data) != self.n_rows:
            raise DataError(f"{self.source} has {len(data)} observations; the run began with {self.n_rows}.")
        return data


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


@dataclass(frozen=True)
class Choice:
    """Which rows of a data set keep their labels, and which are held out."""

    labels: int | None = None
    labels_per_class: int | None = None
    holdout: float = 0.0


def make_plan(source: str, reading: Reading, data: Dataset, choice: Choice, settings: Config) -> Plan:
    """Choose the rows held out, and among the others those that keep their labels, by the seed of the settings."""
    seed = settings.random_state or 0
    if not data.attributes:
        raise DataError(f"{source} has no labels; a few per class are needed to learn which classes there are.")
    if choice.holdout and reading.streaming:
        raise DataError("--holdout: a stream cannot be divided. Name the part to train on with --split.")
    everything = np.arange(len(data))
    rows, held = hold_out(data, choice.holdout, seed) if choice.holdout else (everything, everything[:0])
    candidates = data.take(rows)
    if choice.labels is None and choice.labels_per_class is None:
        chosen = candidates.labelled
    else:
        chosen = choose_labelled(candidates, choice.labels, choice.labels_per_class, seed)
    return Plan(
        source=source,
        reading=reading,
        n_rows=len(data),
        labelled=rows[chosen].tolist(),
        held_out=held.tolist(),
        settings=settings,
    )


def train(
    folder: Path,
    plan: Plan,
    data: Dataset,
    *,
    resume: bool,
    verbose: bool,
    trainer_options: Mapping[str, Any],
    checkpoint_minutes: float = MINUTES,
) -> dict[str, float]:
    """Train as planned, leave the model, its metrics and its report in ``folder``, and return the metrics.

    Of several processes one does all but the training, and the others return nothing.
    """
    parts = Parts.of(plan, data)
    checkpoints = folder / CHECKPOINTS
    model = PartedVAE(**plan.settings.model_dump(), verbose=verbose, trainer_options=dict(trainer_options))
    begins = writes_files() and not resume
    with _replacing(folder) if begins else nullcontext():
        if begins:
            write_json(folder / RUN, plan.model_dump(mode="json"))
            _write_skipped(folder / SKIPPED, data.skipped)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConflictingLabelsWarning)  # the command line has a line of its own
            model.fit(
                parts.training,
                checkpoints=checkpoints,
                checkpoint_minutes=checkpoint_minutes,
                resume_from=checkpoints if resume else None,
            )
    if not writes_files():
        return {}
    _forget_replaced(folder)
    model.save(folder)
    figures = metrics(model, parts)
    write_json(folder / METRICS, figures)
    report(folder, model, plan, parts, figures)
    return figures


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """A folder without the files of an earlier run, which come back if the new one fails before it can be resumed."""
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _forget_replaced(folder)
    aside = folder / f".replaced-{uuid.uuid4().hex}"
    _move_run(folder, aside)
    try:
        yield
    except BaseException:
        if not any((folder / CHECKPOINTS / name).exists() for name in (LAST, PREVIOUS)):
            _move_run(folder, folder / f"{aside.name}-failed")
            shutil.rmtree(folder / f"{aside.name}-failed", ignore_errors=True)
            if aside.exists():
                _move_run(aside, folder)
            if created:
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _forget_replaced(folder: Path) -> None:
    """What a process that was killed had put aside."""
    for left in folder.glob(".replaced-*"):
        shutil.rmtree(left, ignore_errors=True)


def _move_run(source: Path, target: Path) -> None:
    """Move what belongs to a run, and nothing else that may lie in the folder."""
    for name in (RUN, CONFIG, WEIGHTS, HISTORY, METRICS, REPORT, SKIPPED, FIGURES, CHECKPOINTS, LOGS):
        if (source / name).exists():
            target.mkdir(exist_ok=True)
            (source / name).rename(target / name)


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


def add_metrics(folder: Path, found: Evaluation, measured_on: str) -> None:
    """Put figures into ``metrics.json``, in place of those of an earlier time, and say what they are of.

    Those of the training stay; those that could not be computed are null.
    """
    path = folder / METRICS
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be read: {error}. Without the file it is written anew.") from None
    known = {name: known[name] for name in _OF_TRAINING if name in known}  # others may be of other observations
    plain = {name: None if math.isnan(value) else value for name, value in found.items()}
    write_json(path, {**known, **plain, "measured_on": measured_on, "notes": found.notes})


def metrics(model: PartedVAE, parts: Parts) -> dict[str, float]:
    """The first figures of a run; accuracies only of rows whose labels training did not see."""
    figures: dict[str, float] = {
        "n_training": len(parts.training),
        "n_labelled": len(parts.training.labelled),
        "n_test": len(parts.held_out),
    }
    if len(parts.held_out):
        figures["test_accuracy"] = model.score(parts.held_out)
        figures["test_mse"] = _squared_error(model, parts.held_out.x)
    return figures


def report(folder: Path, model: PartedVAE, plan: Plan, parts: Parts, figures: Mapping[str, float]) -> Path:
    """Write ``report.html``: on the rows held out, or on the training rows if none are."""
    unseen = len(parts.held_out) > 0
    shown = parts.held_out if unseen else parts.training
    if not in_memory(shown.x):
        shown = shown.take(random_rows(len(shown), _SHOWN))
    facts = {
        "observations": f"{figures['n_training']:,}",
        "of them labelled": f"{figures['n_labelled']:,}",
        "classes": " · ".join(str(len(attribute.classes)) for attribute in model.attributes_),
    }
    if unseen:
        facts["right on unseen rows"] = f"{figures['test_accuracy']:.1%}"
        facts["unseen rows"] = f"{figures['n_test']:,}"
    what = "unseen observations" if unseen else "observations of the training, since none were held out"
    path = folder / REPORT
    write_report(
        path,
        Subject.of(model, shown, unseen=unseen),
        title=f"What partedvae learnt from {Path(plan.source).name}",
        subtitle=f"{model.config_.max_epochs} epochs; shown on {what}.",
        facts=facts,
    )
    return path


def plan_of(folder: Path, source: str, split: str | None) -> Plan | None:
    """The plan of a run on a source, as far as names tell; none if it was on another, or is not a run but a model."""
    if not (folder / RUN).exists():
        return None
    plan = read_plan(folder)
    other_split = None not in (split, plan.reading.split) and split != plan.reading.split
    here, there = Path(source), Path(plan.source)
    same = here == there or (here.exists() and there.exists() and here.samefile(there))
    return plan if same and not other_split else None


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


def read_plan(folder: Path) -> Plan:
    """``run.json`` of a run.

    Raises:
        RunError: there is none, or it is damaged.
    """
    path = folder / RUN
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run: {path} is missing.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ModelFileError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def can_go_on(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, and it is this process that says so."""
    return writes_files() and any((folder / CHECKPOINTS / name).exists() for name in (LAST, PREVIOUS))


def check_free(folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that already holds a run, unless it is to be resumed or overwritten.

    Raises:
        RunError: says which option helps.
    """
    if not writes_files():
        return  # the process that does may have begun to
    if resume:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamagedCheckpointWarning)  # fit says so
            try:
                newest_whole(folder / CHECKPOINTS)
            except DamagedCheckpointError:
                raise
            except CheckpointError as error:
                raise RunError(f"--resume: {error}") from None
        return
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {folder}: is a file, not a folder.")
    if not overwrite and ((folder / RUN).exists() or (folder / CONFIG).exists()):
        raise RunError(f"--out {folder}: holds a run already. --resume goes on with it, --overwrite replaces it.")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _squared_error(model: PartedVAE, x: Rows) -> float:
    """Mean squared error of reconstruction, a bounded number of observations at a time."""
    squares = sum(float(np.square(model.reconstruct(part) - in_unit_range(part)).sum()) for _, part in chunks(x))
    return squares / math.prod(x.shape)


def _write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """A table of what was left out, if anything was."""
    if not skipped:
        path.unlink(missing_ok=True)
        return
    write_whole(path, lambda temporary: write_csv(temporary, Skipped._fields, skipped))
