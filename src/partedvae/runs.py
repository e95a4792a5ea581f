"""A run's folder: the model, its figures and its report, beside the plan that it was made from."""

from __future__ import annotations

import json
import math
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from partedvae.alone import alone_in
from partedvae.checkpoint_files import (
    LAST,
    MINUTES,
    PREVIOUS,
    CheckpointError,
    DamagedCheckpointError,
    DamagedCheckpointWarning,
    newest_whole,
)
from partedvae.conflicting_labels import ConflictingLabelsWarning
from partedvae.data import Dataset
from partedvae.data.dataset import DataError, Skipped
from partedvae.data.lazy import in_memory
from partedvae.data.subsets import random_rows
from partedvae.estimator import PartedVAE
from partedvae.layout import first_not_finite
from partedvae.metrics import Evaluation
from partedvae.metrics.classification import interval_of_share
from partedvae.persistence import CONFIG, HISTORY, WEIGHTS, ModelFileError, write_whole
from partedvae.plans import METRICS, REPORT, RUN, SKIPPED, Parts, Plan, RunError
from partedvae.processes import writes_files
from partedvae.reconstruction import squared_error
from partedvae.report import write_report
from partedvae.report.sections import Subject
from partedvae.tables import write_csv

CHECKPOINTS, FIGURES, LOGS = "checkpoints", "figures", "logs"

ENDS = ("test_accuracy_low", "test_accuracy_high")
"""Of the 95 % interval of the accuracy, where there is one attribute."""

_OF_TRAINING = ("n_training", "n_labelled", "n_test", "test_accuracy", *ENDS, "test_mse")
_OF_A_RUN = (RUN, CONFIG, WEIGHTS, HISTORY, METRICS, REPORT, SKIPPED, FIGURES, CHECKPOINTS, LOGS)
_FAILED = "-failed"
_LEFT_EARLY = "The run in it was left before its first checkpoint: --overwrite begins it again."
_SHOWN = 5_000  # of observations that are not in memory, so many are read for the report


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
    wrong = first_not_finite(data.x, data.feature_names)
    if wrong is not None:  # of all rows, those too that are held out and looked at when training is over
        raise DataError(f"{plan.source}: {wrong}. Remove or fill in what is not finite.")
    parts = Parts.of(plan, data)
    checkpoints = folder / CHECKPOINTS
    model = PartedVAE(**plan.settings.model_dump(), verbose=verbose, trainer_options=dict(trainer_options))
    begins = writes_files() and not resume
    with _replacing(folder) if begins else nullcontext():
        if writes_files():
            keep_plan(folder, plan)
        if begins:
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
    model.save_in_run(folder)
    figures = metrics(model, parts)
    write_json(folder / METRICS, figures)
    report(folder, model, plan, parts, figures)
    return figures


def alone_in_run(folder: Path) -> AbstractContextManager[None]:
    """A folder that no other process trains into meanwhile; see :func:`partedvae.alone.alone_in`.

    Raises:
        RunError: another process trains into it.
    """
    taken = f"--out {folder}: another process trains into it. Wait until it ends, or name another folder."
    return alone_in(folder, RunError(taken))


def keep_plan(folder: Path, plan: Plan) -> None:
    """Write ``run.json``: for the first time, or because the data were moved."""
    write_json(folder / RUN, plan.model_dump(mode="json"))


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """A folder without the files of an earlier run, which come back if the new one fails before it can be resumed."""
    aside = folder / f".replaced-{uuid.uuid4().hex}"
    _move_run(folder, aside)
    try:
        yield
    except BaseException:
        if not _has_checkpoint(folder):
            _come_back(aside, folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _restore_replaced(folder: Path) -> None:
    """Bring back the run that a process had put aside, if it was killed before its own could be resumed."""
    begun = (folder / RUN).exists() and ((folder / CONFIG).exists() or _has_checkpoint(folder))
    for aside in () if begun else folder.glob(".replaced-*"):
        if aside.name.endswith(_FAILED):
            continue
        if (folder / RUN).exists():  # which is moved first, so this one is of the new run
            _come_back(aside, folder)
        else:
            _move_run(aside, folder)
    _forget_replaced(folder)


def _come_back(aside: Path, folder: Path) -> None:
    """An earlier run in place of one that has failed."""
    failed = folder / f"{aside.name}{_FAILED}"
    _move_run(folder, failed)
    shutil.rmtree(failed, ignore_errors=True)
    if aside.exists():
        _move_run(aside, folder)


def _forget_replaced(folder: Path) -> None:
    """What was put aside and is not needed any more."""
    for left in folder.glob(".replaced-*"):
        shutil.rmtree(left, ignore_errors=True)


def _move_run(source: Path, target: Path) -> None:
    """Move what belongs to a run, and nothing else that may lie in the folder."""
    for name in _OF_A_RUN:
        if (source / name).exists():
            target.mkdir(exist_ok=True)
            (source / name).rename(target / name)


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
        if len(model.attributes_) == 1:  # several of one row are not independent
            n_test = len(parts.held_out)
            figures |= zip(ENDS, interval_of_share(round(figures["test_accuracy"] * n_test), n_test), strict=True)
        figures["test_mse"] = squared_error(model, parts.held_out.x)
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
        if set(ENDS) <= set(figures):
            facts["95 % interval of that"] = " to ".join(f"{figures[end]:.1%}" for end in ENDS)
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


def can_go_on(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, and it is this process that says so."""
    return writes_files() and _has_checkpoint(folder)


def _has_checkpoint(folder: Path) -> bool:
    return any((folder / CHECKPOINTS / name).exists() for name in (LAST, PREVIOUS))


def check_free(folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that already holds a run, unless it is to be resumed or overwritten.

    Raises:
        RunError: says which option helps, or that another process trains into it.
    """
    if not writes_files():
        return  # the process that does may have begun to
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {folder}: is a file, not a folder.")
    with alone_in_run(folder) if folder.exists() else nullcontext():
        _check_free(folder, resume, overwrite)


def _check_free(folder: Path, resume: bool, overwrite: bool) -> None:
    if resume or overwrite:
        _restore_replaced(folder)
    if resume:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamagedCheckpointWarning)  # fit says so
            try:
                newest_whole(folder / CHECKPOINTS)
            except DamagedCheckpointError:
                raise
            except CheckpointError as error:
                left_early = (folder / RUN).exists() and not (folder / CONFIG).exists()
                again = f" {_LEFT_EARLY}" if left_early else ""
                raise RunError(f"--resume: {error}{again}") from None
        return
    holds_run = (folder / RUN).exists() or (folder / CONFIG).exists() or any(folder.glob(".replaced-*"))
    foreign = next((name for name in _OF_A_RUN if (folder / name).exists()), None)
    if foreign is not None and not holds_run:
        raise RunError(
            f"--out {folder}: holds {foreign}, which is of no run and would be replaced. Name another folder."
        )
    if overwrite or not holds_run:
        return
    if (folder / CONFIG).exists() or _has_checkpoint(folder) or any(folder.glob(".replaced-*")):
        raise RunError(f"--out {folder}: holds a run already. --resume goes on with it, --overwrite replaces it.")
    raise RunError(f"--out {folder}: {_LEFT_EARLY}")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """A table of what was left out, if anything was."""
    if not skipped:
        path.unlink(missing_ok=True)
        return
    write_whole(path, lambda temporary: write_csv(temporary, Skipped._fields, skipped))
