"""``PartedVAE``, the scikit-learn face of the method: settings, fitting, keeping. What it answers is in its bases."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from partedvae import factory, persistence
from partedvae.alone import alone_in
from partedvae.augmentation import Augmentation
from partedvae.batches import Observations, known_rows
from partedvae.checkpoint_files import (
    MINUTES,
    CheckpointError,
    checkpoint_to_resume,
    require_no_unfinished,
    seed_to_resume,
)
from partedvae.config import Config, preset
from partedvae.conflicting_labels import warn_of_conflicts
from partedvae.data.dataset import Dataset
from partedvae.encoded import Codes, Encodes
from partedvae.extra_terms import Term, check_terms
from partedvae.generated import Generates
from partedvae.held_out import held_out
from partedvae.inference import TooFarError
from partedvae.late_labels import with_late_labels
from partedvae.model import PartedModel
from partedvae.observed import Observed, require_range
from partedvae.persistence import RUN_PLAN, SavedModel
from partedvae.predicted import Predicts
from partedvae.prior_fit import fit_prior
from partedvae.processes import writes_files
from partedvae.recorder import HINT, TrainingDivergedError
from partedvae.scaling import Scaling
from partedvae.seeds import RandomState, seed_of
from partedvae.supervision import class_counts, known_as, labels_of
from partedvae.temperature import scale_classes, temperatures

__all__ = ["Codes", "PartedVAE"]

_DEFAULT = Config()
_FIRST_WEIGHTS = threading.Lock()  # they come from the global generator, which other threads would draw from


class PartedVAE(Predicts, Encodes, Generates, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Semi-supervised VAE that separates what a thing is (u) from how it looks (z).

    Observations are features (N, F), grey images (N, H, W), or images (N, H, W, C) or (N, C, H, W) of at least 8×8
    pixels with 1 to 4 channels. Labels are integers or strings, (N,), or (N, A) for A attributes; missing ones are −1,
    ``None``, NaN or pandas' NA. Arguments are those of :class:`partedvae.config.Config`, which describes each, and:

    Args:
        verbose: show progress: a bar on a terminal, else lines.
        trainer_options: passed to Lightning's ``Trainer``: devices, precision (``"auto"``: the fastest
            here), logger, callbacks and so on; and ``compile=True``, for one process: torch compiles what a step
            computes, which takes up to a minute. On a GPU the step is then recorded as a CUDA graph, unless
            ``extra_terms`` or ``augment`` are given: what callbacks do to gradients or optimisers within a batch has
            no effect in it.
        extra_terms: terms that are added to the loss, by the names that ``history_`` will have them under: functions
            of :class:`partedvae.extra_terms.Seen` that give one number. They are not saved with the model.
        augment: how observations (N, …), as the networks see them, are changed without changing their class, for
            ``consistency``: a function of them and a ``torch.Generator``. Default: pictures are moved a little and
            partly erased, features are left as they are unless ``consistency`` is set, which then replaces some of
            those without a label; see :mod:`partedvae.augmentation`. One of your own changes labelled features too. It
            is not saved either.

    Attributes:
        classes_: the classes in order, or in that of the data set that they are of; a list of arrays if there are
            several attributes.
        attributes_: name and classes of each attribute.
        history_: one record an epoch with every term of the loss, and the KLs behind them in nats, by name.
        net_: the torch module, a :class:`partedvae.model.PartedModel`.
        n_features_in_: numbers in one observation.

    Source: Hajimiri, Lotfi and Soleymani Baghshah 2021, arXiv 2102.00892.

    >>> from sklearn.datasets import load_digits
    >>> images, digit = load_digits().images, load_digits().target
    >>> digit = np.where(np.arange(len(digit)) < 100, digit, -1)  # the other 1,697 are unlabelled
    >>> model = PartedVAE(max_epochs=2, random_state=0).fit(images, digit)
    >>> model.predict(images[:5]).shape, model.sample(3, label=7, random_state=0).shape
    ((5,), (3, 8, 8))
    """

    def __init__(
        self,
        *,
        u_dim: int = _DEFAULT.u_dim,
        z_dim: int = _DEFAULT.z_dim,
        hidden_dim: int = _DEFAULT.hidden_dim,
        likelihood: str = _DEFAULT.likelihood,
        scale: float | str = _DEFAULT.scale,
        attention: bool = _DEFAULT.attention,
        prior: str = _DEFAULT.prior,
        class_prior: Any = _DEFAULT.class_prior,
        gamma_x: float | str = _DEFAULT.gamma_x,
        gamma_z: float = _DEFAULT.gamma_z,
        gamma_u: float = _DEFAULT.gamma_u,
        gamma_c: float = _DEFAULT.gamma_c,
        gamma_h: float = _DEFAULT.gamma_h,
        gamma_bc: float = _DEFAULT.gamma_bc,
        bc_threshold: float = _DEFAULT.bc_threshold,
        gamma_zc: float = _DEFAULT.gamma_zc,
        gamma_swap: float = _DEFAULT.gamma_swap,
        z_capacity: float = _DEFAULT.z_capacity,
        u_capacity: float = _DEFAULT.u_capacity,
        capacity_steps: int | str = _DEFAULT.capacity_steps,
        capacity_width: float = _DEFAULT.capacity_width,
        sharpness_steps: int | str = _DEFAULT.sharpness_steps,
        fit_prior: bool = _DEFAULT.fit_prior,
        max_epochs: int = _DEFAULT.max_epochs,
        batch_size: int = _DEFAULT.batch_size,
        supervised: bool = _DEFAULT.supervised,
        consistency: float | str = _DEFAULT.consistency,
        consistency_steps: int = _DEFAULT.consistency_steps,
        memorised_after: int = _DEFAULT.memorised_after,
        label_smoothing: float | str = _DEFAULT.label_smoothing,
        labelled_dropout: float | str = _DEFAULT.labelled_dropout,
        balance_labels: bool = _DEFAULT.balance_labels,
        calibration_fraction: float = _DEFAULT.calibration_fraction,
        lr: float = _DEFAULT.lr,
        lr_labelled: float = _DEFAULT.lr_labelled,
        lr_labelled_end: float = _DEFAULT.lr_labelled_end,
        lr_patience: int | None = _DEFAULT.lr_patience,
        averaged_steps: int = _DEFAULT.averaged_steps,
        validation_fraction: float = _DEFAULT.validation_fraction,
        early_stopping: bool = _DEFAULT.early_stopping,
        early_stopping_patience: int = _DEFAULT.early_stopping_patience,
        random_state: RandomState = _DEFAULT.random_state,
        verbose: bool = False,
        trainer_options: Mapping[str, Any] | None = None,
        extra_terms: Mapping[str, Term] | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.u_dim = u_dim
        self.z_dim = z_dim
        self.hidden_dim = hidden_dim
        self.likelihood = likelihood
        self.scale = scale
        self.attention = attention
        self.prior = prior
        self.class_prior = class_prior
        self.gamma_x = gamma_x
        self.gamma_z = gamma_z
        self.gamma_u = gamma_u
        self.gamma_c = gamma_c
        self.gamma_h = gamma_h
        self.gamma_bc = gamma_bc
        self.bc_threshold = bc_threshold
        self.gamma_zc = gamma_zc
        self.gamma_swap = gamma_swap
        self.z_capacity = z_capacity
        self.u_capacity = u_capacity
        self.capacity_steps = capacity_steps
        self.capacity_width = capacity_width
        self.sharpness_steps = sharpness_steps
        self.fit_prior = fit_prior
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.supervised = supervised
        self.consistency = consistency
        self.consistency_steps = consistency_steps
        self.memorised_after = memorised_after
        self.label_smoothing = label_smoothing
        self.labelled_dropout = labelled_dropout
        self.balance_labels = balance_labels
        self.calibration_fraction = calibration_fraction
        self.lr = lr
        self.lr_labelled = lr_labelled
        self.lr_labelled_end = lr_labelled_end
        self.lr_patience = lr_patience
        self.averaged_steps = averaged_steps
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.early_stopping_patience = early_stopping_patience
        self.random_state = random_state
        self.verbose = verbose
        self.trainer_options = trainer_options
        self.extra_terms = extra_terms
        self.augment = augment

    @classmethod
    def from_preset(cls, name: str, **overrides: Any) -> Self:
        """An estimator with the settings of a preset, some of them overridden.

        Raises:
            ValueError: there is no such preset.

        >>> PartedVAE.from_preset("paper-mnist", capacity_steps=25_000).gamma_h
        30.0
        """
        return cls(**{**preset(name), **overrides})

    # ---------------------------------------------------------------------------------------------------- fitting

    def fit(
        self,
        X: Observed,
        y: ArrayLike | None = None,
        *,
        validation_data: Dataset | tuple[Observed, ArrayLike | None] | None = None,
        checkpoints: str | Path | None = None,
        checkpoint_minutes: float = MINUTES,
        resume_from: str | Path | None = None,
    ) -> Self:
        """Learn from observations of which few, or all, have labels.

        Args:
            X: observations; or a :class:`partedvae.data.Dataset`, which has its labels with it. Those that are mapped
                from a large file, or lazy, are read a batch at a time.
            y: labels, missing ones marked; or class probabilities (N, K), rows of NaN where missing.
            validation_data: observations and labels for validation, in place of ``validation_fraction`` of X.
            checkpoints: folder for a checkpoint after each epoch. With it, SIGINT (Ctrl-C) and SIGTERM let the step
                end and leave a checkpoint too.
            checkpoint_minutes: between checkpoints within an epoch.
            resume_from: a checkpoint of a fit with the same settings and data, to go on from; or a folder of
                checkpoints, of which the newest that is not damaged is taken. Name ``checkpoints`` too, or no more are
                written. Its seed is gone on with, unless
                ``random_state`` is a number, which must be the same.

        Raises:
            CheckpointError: ``resume_from`` is damaged, or not of this fit; or ``checkpoints`` holds some
                of a fit that was stopped, and they are not to be gone on from, or of one that is under way.
            ValueError: a setting, an observation or a label that cannot be; it says which.
            TrainingDivergedError: a term of the loss became NaN or infinite; it says which and when.
        """
        with _as_it_was_on_failure(self), _alone_in(checkpoints):
            return self._fit(X, y, validation_data, checkpoints, checkpoint_minutes, resume_from)

    def _fit(
        self,
        X: Observed,
        y: ArrayLike | None,
        validation_data: Dataset | tuple[Observed, ArrayLike | None] | None,
        checkpoints: str | Path | None,
        checkpoint_minutes: float,
        resume_from: str | Path | None,
    ) -> Self:
        from partedvae.fitting import fit  # Lightning takes seconds to load, and who only asks a model needs none of it

        begun = checkpoint_to_resume(Path(resume_from)) if resume_from is not None else None
        if begun is None and checkpoints is not None and writes_files():  # which may have begun while others look
            require_no_unfinished(Path(checkpoints))
        seed = seed_of(self.random_state if begun is None else seed_to_resume(begun, self.random_state))
        config = Config.checked({**self._settings(), "random_state": seed})
        check_terms(self.extra_terms)
        raw = self._read(X, fitting=True)
        known, attributes = labels_of(X, y, len(raw))
        warn_of_conflicts(raw, known)
        given = Observations(raw, torch.from_numpy(known))
        if validation_data is None:
            training, validation = held_out(given, config.validation_fraction, seed)
        else:
            x, y = _pair(validation_data)
            others = self._read(x)
            training = given
            validation = Observations(others, torch.from_numpy(known_as(x, y, len(others), attributes)))
        # π is of training rows alone: those that validate know nothing yet.
        class_prior = factory.check_class_prior(config, class_counts(training.labels.numpy(), attributes))
        sizes = tuple(map(len, class_prior))
        if config.supervised and not config.early_stopping:  # which may end the run before they join
            training = with_late_labels(training, config.calibration_fraction, config.max_epochs, seed)
        if config.early_stopping and validation is None:
            raise ValueError("early_stopping needs validation_fraction > 0, or validation_data in fit.")
        likelihood = factory.choose_likelihood(config, training.x)
        scaling = factory.fit_scaling(training.x, likelihood)
        with _FIRST_WEIGHTS, _seeded(seed):
            net = factory.make_model(config, scaling, likelihood, sizes, class_prior)
        if validation is not None:
            require_range(validation.x, net, "X for validation")
        # Training has noise of its own; what others have written may draw from the global generator.
        with _seeded(seed) if self.extra_terms or self.augment is not None else nullcontext():
            history = fit(
                net,
                config,
                training,
                validation,
                seed,
                verbose=self.verbose,
                trainer_options=self.trainer_options,
                extra_terms=self.extra_terms,
                augment=self.augment,
                checkpoints=Path(checkpoints) if checkpoints is not None else None,
                checkpoint_minutes=checkpoint_minutes,
                resume_from=begun,
            )
        if config.fit_prior:
            try:
                fit_prior(net, training.x, config.batch_size)
            except TooFarError:
                raise TrainingDivergedError(f"Training ended with codes that are not finite. {HINT}") from None
        self._set_fitted(net, attributes, config, likelihood, class_prior, history)
        return self

    def calibrate(self, X: Observed, y: ArrayLike | None = None) -> Self:
        """Rescale the probabilities so that what is said with 80 % confidence is right in 80 % of cases.

        By observations whose labels fit did not see.

        Each attribute's logits are divided by one temperature, so predictions stay as they are; the bound of
        ``score_samples``, which knows the probabilities, does not. Fit does this with
        labels that join late (``calibration_fraction``); others can say more. A few labels move it little; the same
        ones a second time count twice.

        Args:
            X: observations; or a :class:`partedvae.data.Dataset`, which has its labels with it.
            y: their labels, missing ones marked.

        Raises:
            ValueError: there is no label, or one that is not a class.

        Source: Guo et al. 2017, *On calibration of modern neural networks*.
        """
        net = self._fitted_net()
        raw = self._observations(X)
        known = torch.from_numpy(known_as(X, y, len(raw), self.attributes_))
        if not known_rows(known).any():
            raise ValueError("y has no label at all: there is nothing to calibrate by.")
        scale_classes(net.class_head, net.partition, temperatures(net, Observations(raw, known)))
        return self

    # ---------------------------------------------------------------------------------------------------- keeping

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a folder: ``config.json``, ``model.safetensors``, ``history.csv``.

        Raises:
            ValueError: the folder is a run of the command line, whose data and figures would be said of this model; or
                it has a ``config.json`` of something else.
        """
        if (Path(path) / RUN_PLAN).exists():
            raise ValueError(f"{path} is a run, and its figures are of the model there. Save to another folder.")
        if persistence.is_of_others(Path(path)):
            raise ValueError(f"{path} has a {persistence.CONFIG} that is of no model of ours. Save to another folder.")
        self.save_in_run(path)

    def save_in_run(self, path: str | Path) -> None:
        """``save`` for who writes the run's plan and figures, too."""
        net = self._fitted_net()
        feature_names = getattr(self, "feature_names_in_", None)
        saved = SavedModel(
            partedvae_version=persistence.package_version(),
            settings=self.config_,
            likelihood=self.likelihood_,
            class_prior=self.class_prior_,
            kind=self.layout_.kind,
            shape=list(self.layout_.shape),
            feature_names=None if feature_names is None else list(feature_names),
            attributes=[persistence.save_attribute(attribute) for attribute in self.attributes_],
        )
        persistence.write_model(Path(path), saved, net, self.history_)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model that ``save`` wrote to a folder. No code from the folder is executed.

        Raises:
            ModelFileError: a file is missing, damaged or from a newer version; it says which.
        """
        folder = Path(path)
        saved = persistence.read_config(folder)
        model = cls(**saved.settings.model_dump())
        model.layout_ = saved.layout
        model.n_features_in_ = math.prod(saved.shape)
        if saved.feature_names is not None:
            model.feature_names_in_ = np.array(saved.feature_names, dtype=object)
        attributes = [persistence.load_attribute(attribute) for attribute in saved.attributes]
        sizes = tuple(len(attribute.classes) for attribute in attributes)

        def untrained() -> PartedModel:
            scaling = Scaling(saved.layout.tensor_shape)
            return factory.make_model(saved.settings, scaling, saved.likelihood, sizes, saved.class_prior)

        with _FIRST_WEIGHTS, torch.random.fork_rng(devices=[]):  # a fit in another thread draws from there, too
            net = persistence.read_net(folder, untrained, saved.weights)
        history = persistence.read_history(folder)
        model._set_fitted(net.float().eval(), attributes, saved.settings, saved.likelihood, saved.class_prior, history)
        return model

    # ----------------------------------------------------------------------------------------------------- within

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []  # codes are float32, whatever the observations are
        return tags

    def _settings(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        return {name: _plain(parameters[name]) for name in Config.model_fields}


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global generator as if new, and afterwards as it was: it is the user's, as are those of the GPUs."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _as_it_was_on_failure(model: PartedVAE) -> Iterator[None]:
    """What was fitted before stays whole if fit fails, or is stopped, half-way."""
    before = dict(model.__dict__)
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        raise


def _alone_in(checkpoints: str | Path | None) -> AbstractContextManager[None]:
    """The folder of checkpoints, if there is one, which no other fit writes into meanwhile."""
    if checkpoints is None:
        return nullcontext()
    taken = f"{checkpoints}: another fit keeps its checkpoints there. Wait until it ends, or name another folder."
    return alone_in(Path(checkpoints), CheckpointError(taken))


def _pair(given: Any) -> tuple[Any, Any]:
    """Observations and labels; a data set has its labels with it."""
    if isinstance(given, Dataset):
        return given, None
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError("validation_data should be a pair of observations and labels, or a Dataset.")
    return given[0], given[1]


def _plain(value: Any) -> Any:
    """A setting as the configuration takes it: arrays as lists, NumPy's numbers as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
