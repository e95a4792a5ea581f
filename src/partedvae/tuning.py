"""A search for settings: trials of Optuna's, judged on held-out rows by how probable labels are and what z tells."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as lightning
import numpy as np
import optuna
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from partedvae.config import Config, to_json
from partedvae.conflicting_labels import ConflictingLabelsWarning
from partedvae.data import Dataset
from partedvae.data.subsets import random_rows
from partedvae.estimator import PartedVAE
from partedvae.inference import infer
from partedvae.layout import Layout
from partedvae.metrics import leakage, negative_log_likelihood
from partedvae.metrics.leakage import FEWEST
from partedvae.objective import targets_of
from partedvae.persistence import ModelFileError, write_whole
from partedvae.plans import RUN, RunError
from partedvae.reconstruction import squared_error
from partedvae.recorder import TrainingDivergedError
from partedvae.same_study import require_same
from partedvae.seeds import as_32_bits
from partedvae.settings import SettingError, parse_value
from partedvae.tables import write_csv

BEST, TRIALS, STORAGE = "best.yaml", "trials.csv", "study.db"
_STUDY, _REASON = "partedvae", "reason"
_LOOKS = 10  # a trial is looked at so often before its end
_LOGARITHMIC = 10.0  # ranges over which ratios matter, not differences
_LOOKED_AT = 2_000

SPACE = ("lr=3e-4:3e-3", "gamma_zc=5.0:80.0", "gamma_swap=2.0:40.0", "u_capacity=2.0:12.0")
"""What is searched unless something else is asked for: not how much z may carry, since less of it tells less."""

_OF_Z = ("z_dim", "z_capacity", "gamma_z")


class Range(NamedTuple):
    """Settings between two; their ratio counts where they are far apart."""

    low: float
    high: float

    def suggested(self, trial: optuna.Trial, name: str) -> Any:
        """A value of the trial."""
        if _is_whole_number(name):
            return trial.suggest_int(name, int(self.low), int(self.high))
        logarithmic = self.low > 0 and self.high / self.low >= _LOGARITHMIC
        return trial.suggest_float(name, self.low, self.high, log=logarithmic)


def _is_whole_number(name: str) -> bool:
    """Whether a setting takes whole numbers only, however they are typed."""
    try:
        Config.checked({name: 0.5})
    except ValueError as error:
        return "valid integer" in str(error)
    return False


class Choices(NamedTuple):
    """A few settings."""

    values: list[Any]

    def suggested(self, trial: optuna.Trial, name: str) -> Any:
        """A value of the trial."""
        return trial.suggest_categorical(name, self.values)


Space = Mapping[str, Range | Choices]


def read_space(searched: Sequence[str]) -> Space:
    """What ``--search`` asks for: ``key=low:high``, or ``key=one,two,three``.

    Raises:
        SettingError: names the option.

    >>> read_space(["lr=1e-4:1e-2", "attention=true,false"])
    {'lr': Range(low=0.0001, high=0.01), 'attention': Choices(values=[True, False])}
    """
    space: dict[str, Range | Choices] = {}
    for option in searched:
        name, equals, text = (part.strip() for part in option.partition("="))
        said = f"--search {option}"
        if not equals:
            raise SettingError(f"{said}: should be key=low:high or key=one,two,three.")
        if name in space:
            raise SettingError(f"{said}: {name} is searched already, by another --search.")
        if ":" in text:
            ends = [parse_value(end, said) for end in text.split(":")]
            if len(ends) != 2 or not {type(end) for end in ends} <= {int, float} or not ends[0] < ends[1]:
                raise SettingError(f"{said}: should be key=low:high, two numbers, the smaller first.")
            space[name] = Range(*ends)
        else:
            if "[" in text:
                raise SettingError(f"{said}: lists are not searched.")
            ends = [parse_value(value, said) for value in text.split(",")]
            space[name] = Choices(ends)
        for value in ends:
            try:
                Config.checked({name: value})
            except ValueError as error:
                raise SettingError(f"{said}: {error}") from None
    return space


def forgets(space: Space) -> str | None:
    """A setting that is searched and may make z carry less, which the score would take for a gain, if there is one."""
    return next((name for name in _OF_Z if name in space), None)


class Judged(NamedTuple):
    """A trial's figures on held-out rows; lower is better."""

    nll: float
    leakage: float
    mse: float

    @property
    def score(self) -> float:
        """Nats of surprise per label, and how much of what there is to tell of the class z tells, counted alike.

        Reconstructions do not count: how they are told from noise depends on the data.
        """
        return self.nll + self.leakage


def search(
    folder: Path,
    training: Dataset,
    held_out: Dataset,
    settings: Config,
    space: Space,
    n_trials: int,
    storage: str | None = None,
    verbose: bool = False,
) -> optuna.Study:
    """Run trials, and leave ``best.yaml`` and ``trials.csv`` in ``folder``; a study that is there is gone on with.

    The two are written after each trial, so that a search that is stopped leaves what it has found.

    Args:
        folder: of the study.
        training: what each trial learns from; its labels are those that training may see.
        held_out: rows with labels that only judge.
        settings: those that are not searched.
        space: those that are.
        n_trials: how many more.
        storage: address of a database that several machines share; default: a file in the folder.
        verbose: say how each trial ended.

    Raises:
        RunError: too few labels are held out, the study is of other data or settings, or ``folder`` or ``storage``
            cannot be used.
        ModelFileError: the file of the study cannot be used.
        SettingError: the study is of other choices.
        RuntimeError: every trial failed.
    """
    _check_enough(held_out)
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {folder}: is a file, not a folder.")
    if (folder / RUN).exists():
        raise RunError(f"--out {folder}: holds a run. A study needs a folder of its own.")
    if storage is None:
        folder.mkdir(parents=True, exist_ok=True)
    with _quiet_optuna():
        study = _begun_or_new(folder, storage)
        folder.mkdir(parents=True, exist_ok=True)  # of a database that cannot be used nothing is left
        choices = {name: part.values if isinstance(part, Choices) else None for name, part in space.items()}
        require_same(study, settings, choices, (training, held_out))
        # Of machines that share a study, none may try what another does.
        own = None if storage else settings.random_state
        seed = None if own is None else as_32_bits(own + len(study.trials))
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        study.optimize(
            lambda trial: _score(trial, training, held_out, settings, space),
            n_trials=n_trials,
            callbacks=[lambda study, trial: _leave(folder, study, trial, settings, space, verbose)],
        )
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        reasons = [trial.user_attrs[_REASON] for trial in study.trials if _REASON in trial.user_attrs]
        last = f" The last could not be: {reasons[-1]}" if reasons else ""
        raise RuntimeError(
            f"No trial was finished: all diverged or were stopped early. Narrow --search, or try more.{last}"
        )
    return study


def _leave(
    folder: Path, study: optuna.Study, trial: FrozenTrial, settings: Config, space: Space, verbose: bool
) -> None:
    """Write what has been found so far, and say how a trial ended if that is asked for."""
    write_whole(folder / TRIALS, lambda path: write_csv(path, *_table(study, list(space))))
    ended = trial.user_attrs.get(_REASON, "stopped early")
    if study.get_trials(states=(TrialState.COMPLETE,)):
        # All settings: a preset may stand beside them, whose own they take the place of.
        best = yaml.safe_dump(to_json(Config.checked({**settings.model_dump(), **study.best_params})), sort_keys=False)
        write_whole(folder / BEST, lambda path: path.write_text(best, encoding="utf-8"))
        if trial.state == TrialState.COMPLETE:
            ended = f"score {trial.value:.4f}; the best is {study.best_value:.4f}, of trial {study.best_trial.number}"
    if verbose:
        print(f"trial {trial.number}: {ended}", file=sys.stderr, flush=True)


def n_ended(study: optuna.Study) -> int:
    """How many trials there are that were judged or stopped early, not those that something else ended."""
    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _begun_or_new(folder: Path, storage: str | None) -> optuna.Study:
    """The study of a folder, or of a database that machines share.

    Raises:
        RunError: the database cannot be used. Its address is not repeated, since it may hold a password.
    """
    place = folder / STORAGE
    try:
        return optuna.create_study(
            study_name=_STUDY,
            storage=storage or URL.create("sqlite", database=str(place.resolve())).render_as_string(),
            load_if_exists=True,
            direction="minimize",
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=_LOOKS // 3),
        )
    except (SQLAlchemyError, OptunaError, ImportError, ValueError) as error:  # ImportError: of a driver
        said = str(error.__cause__ or error).splitlines()[0]
        if storage is None:
            raise ModelFileError(f"{place} cannot be used: {said}. Without the file a study begins anew.") from None
        raise RunError(f"--storage: the database cannot be used: {said}") from None


def judged(model: PartedVAE, data: Dataset) -> Judged:
    """Of rows with labels; means over attributes."""
    codes = model.encode(data)
    by_attribute = codes.c if isinstance(codes.c, list) else [codes.c]
    surprises, leaks = [], []
    for probabilities, column in zip(by_attribute, data.codes.T, strict=True):
        known = column >= 0
        surprises.append(negative_log_likelihood(probabilities[known], column[known]))
        leaks.append(float(leakage(codes.z[known], column[known], random_state=0)) if codes.z.shape[1] else 0.0)
    mean_surprise, mean_leak = (math.fsum(values) / len(values) for values in (surprises, leaks))
    return Judged(mean_surprise, mean_leak, squared_error(model, data.x))


class Look(Callback):
    """Tells Optuna now and then how probable held-out labels are, and stops a trial that is worse than most."""

    def __init__(self, trial: optuna.Trial, held_out: Dataset) -> None:
        few = held_out.take(random_rows(len(held_out), _LOOKED_AT))
        self.trial, self.codes = trial, few.codes
        self.raw = Layout.of(few.array).to_tensor(few.array)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Look, if it is time."""
        epochs, done = trainer.max_epochs or 1, trainer.current_epoch + 1
        look, looks_before = done * _LOOKS // epochs, (done - 1) * _LOOKS // epochs
        if look == looks_before or done == epochs:
            return
        net: Any = pl_module.fitted
        wanted = targets_of(torch.from_numpy(self.codes), net.partition)
        surprise = -float((wanted * infer(net, self.raw).log_c).sum() / wanted.sum())
        self.trial.report(surprise, look)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def _score(trial: optuna.Trial, training: Dataset, held_out: Dataset, settings: Config, space: Space) -> float:
    """Train as a trial says and judge it; what cannot be, or diverges, is given up as a trial that is worse than most.

    Raises:
        TrialPruned: it was given up.
    """
    changed = {name: part.suggested(trial, name) for name, part in space.items()}
    try:
        config = Config.checked({**settings.model_dump(), **changed})
        model = PartedVAE(**config.model_dump(), trainer_options={"callbacks": [Look(trial, held_out)]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConflictingLabelsWarning)  # the command line has a line of its own
            model.fit(training)
        found = judged(model, held_out)
    except (TrainingDivergedError, ValueError) as error:
        trial.set_user_attr(_REASON, str(error))
        raise optuna.TrialPruned(str(error)) from None
    except SystemExit:  # which Optuna lets pass: the trial would seem to go on for ever
        trial.study.tell(trial.number, state=TrialState.FAIL)
        raise
    for name, value in found._asdict().items():
        trial.set_user_attr(name, value)
    return found.score


def _check_enough(held_out: Dataset) -> None:
    for attribute, column in zip(held_out.attributes, held_out.codes.T, strict=True):
        counts = np.bincount(column[column >= 0], minlength=len(attribute.classes))
        if counts.min() < FEWEST:
            rarest = attribute.classes.tolist()[counts.argmin()]
            raise RunError(
                f"--holdout: {counts.min()} rows of class {rarest!r} are held out; to tell whether z knows a class, "
                f"{FEWEST} of each are needed."
            )


def _table(study: optuna.Study, names: list[str]) -> tuple[list[str], list[list[Any]]]:
    header = ["trial", "state", "score", *Judged._fields, *names]
    rows = [
        [
            trial.number,
            trial.state.name.lower(),
            trial.value if trial.state == TrialState.COMPLETE else "",
            *(trial.user_attrs.get(name, "") for name in Judged._fields),
            *(trial.params.get(name, "") for name in names),
        ]
        for trial in study.trials
    ]
    return header, rows


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """No lines of Optuna's: how trials end is said here, and a trial that Ctrl-C ends would be a traceback."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
