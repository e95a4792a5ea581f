"""``PartedVAE``: the scikit-learn face of the method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from partedvae import factory, labels, persistence
from partedvae.augmentation import Augmentation
from partedvae.batches import known_rows
from partedvae.checkpoints import MINUTES, checkpoint_to_resume
from partedvae.config import Config, preset
from partedvae.data.dataset import Dataset
from partedvae.divergences import entropy_categorical, kl_standard_normal
from partedvae.extra_terms import Term
from partedvae.generation import counterfactual_codes, prior_codes, traversal_codes, traversal_values
from partedvae.inference import decode, evidence_bound, infer, infer_classes
from partedvae.labels import Attribute
from partedvae.likelihoods import LikelihoodName
from partedvae.model import PartedModel, Posterior
from partedvae.objective import targets_of
from partedvae.observed import Observed, ReadsObservations
from partedvae.persistence import SavedModel
from partedvae.prior_fit import fit_prior
from partedvae.scaling import Scaling
from partedvae.selection import most_worth_labelling
from partedvae.supervision import (
    class_counts,
    held_out,
    kept_for_calibration,
    labels_of,
    warn_of_conflicts,
)
from partedvae.temperature import scale_classes
from partedvae.training import Observations, fit

T = TypeVar("T")
Array = NDArray[Any]
Label = Any
RandomState = int | np.random.RandomState | None

_DEFAULT = Config()


class Codes(NamedTuple):
    """What an observation is and how it looks.

    Attributes:
        c: class probabilities (N, K); a list of them, one an attribute, if there are several.
        u: (N, A · d_u), posterior means of the class-related code.
        z: (N, d_z), posterior means of the class-independent code.
    """

    c: Array | list[Array]
    u: Array
    z: Array


class PartedVAE(ReadsObservations, ClassifierMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Semi-supervised VAE that separates what a thing is (u) from how it looks (z).

    Observations are features (N, F), grey images (N, H, W), or images (N, H, W, C) or (N, C, H, W) of at least 8×8
    pixels with 1 to 4 channels. Labels are integers or strings, (N,), or (N, A) for A attributes; missing ones are −1,
    ``None``, NaN or pandas' NA. Arguments are those of :class:`partedvae.config.Config`, which describes each, and:

    Args:
        verbose: show progress: a bar on a terminal, else lines.
        trainer_options: passed to Lightning's ``Trainer``: devices, precision (``"auto"``: the fastest that learns as
            well here), logger, callbacks and so on.
        extra_terms: terms that are added to the loss, by the names that ``history_`` will have them under: functions
            of :class:`partedvae.extra_terms.Seen` that give one number. They are not saved with the model.
        augment: how observations (N, …), as the networks see them, are changed without changing their class, for
            ``consistency``: a function of them and a ``torch.Generator``. Default: pictures are moved a little and
            partly erased, features partly replaced; see :mod:`partedvae.augmentation`. It is not saved either.

    Attributes:
        classes_: the classes; a list of arrays if there are several attributes.
        attributes_: name and classes of each attribute.
        history_: one record an epoch with every term of the loss by name, in nats.
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
        sharpness_steps: int | str = _DEFAULT.sharpness_steps,
        fit_prior: bool = _DEFAULT.fit_prior,
        max_epochs: int = _DEFAULT.max_epochs,
        batch_size: int = _DEFAULT.batch_size,
        supervised: bool = _DEFAULT.supervised,
        consistency: float = _DEFAULT.consistency,
        balance_labels: bool = _DEFAULT.balance_labels,
        calibration_fraction: float = _DEFAULT.calibration_fraction,
        lr: float = _DEFAULT.lr,
        lr_labelled: float = _DEFAULT.lr_labelled,
        lr_labelled_end: float = _DEFAULT.lr_labelled_end,
        lr_patience: int | None = _DEFAULT.lr_patience,
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
        self.sharpness_steps = sharpness_steps
        self.fit_prior = fit_prior
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.supervised = supervised
        self.consistency = consistency
        self.balance_labels = balance_labels
        self.calibration_fraction = calibration_fraction
        self.lr = lr
        self.lr_labelled = lr_labelled
        self.lr_labelled_end = lr_labelled_end
        self.lr_patience = lr_patience
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
        validation_data: Dataset | tuple[Observed, ArrayLike] | None = None,
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
                checkpoints, of which the newest that is not damaged is taken.

        Raises:
            CheckpointError: ``resume_from`` is damaged, or not of this fit.
            ValueError: a setting, an observation or a label that cannot be; it says which.
            TrainingDivergedError: a term of the loss became NaN or infinite; it says which and when.
        """
        seed = _seed(self.random_state)
        config = Config.checked({**self._settings(), "random_state": seed})
        raw = self._read(X, fitting=True)
        known, attributes = labels_of(X, y, len(raw))
        class_prior = factory.check_class_prior(config, class_counts(known, attributes))
        sizes = tuple(map(len, class_prior))
        warn_of_conflicts(raw, known)
        given = Observations(raw, torch.from_numpy(known))
        if validation_data is None:
            training, validation = held_out(given, config.validation_fraction, seed)
        else:
            x, y = (validation_data, validation_data.y) if isinstance(validation_data, Dataset) else validation_data
            others = self._read(x)
            training = given
            validation = Observations(others, torch.from_numpy(labels.encode_as(y, len(others), attributes)))
        training, aside = kept_for_calibration(training, config.calibration_fraction, seed)
        if config.early_stopping and validation is None:
            raise ValueError("early_stopping needs validation_fraction > 0, or validation_data in fit.")
        likelihood = factory.choose_likelihood(config, training.x)
        scaling = factory.fit_scaling(training.x, likelihood)
        with torch.random.fork_rng(devices=[]):  # the global random state is the user's
            torch.manual_seed(seed)
            net = factory.make_model(config, scaling, likelihood, sizes, class_prior)
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
                resume_from=checkpoint_to_resume(Path(resume_from)) if resume_from is not None else None,
            )
            if config.fit_prior:
                fit_prior(net, training.x, config.batch_size)
        if aside is not None:
            _calibrate(net, aside)
        self._set_fitted(net, attributes, config, likelihood, class_prior, history)
        return self

    def _set_fitted(
        self,
        net: PartedModel,
        attributes: Sequence[Attribute],
        config: Config,
        likelihood: LikelihoodName,
        class_prior: list[list[float]],
        history: list[dict[str, float]],
    ) -> None:
        self.net_ = net
        self.history_ = history
        self.attributes_ = list(attributes)
        self.classes_ = _one_or_list([attribute.classes for attribute in attributes])
        self.config_ = config
        self.likelihood_ = likelihood
        self.class_prior_ = class_prior

    def calibrate(self, X: Observed, y: ArrayLike | None = None) -> Self:
        """Make the probabilities those that are kept, by observations whose labels fit did not see.

        Each attribute's logits are divided by one temperature, so predictions stay as they are. The argument
        ``calibration_fraction`` does this in fit, with labels that it keeps aside.

        Args:
            X: observations; or a :class:`partedvae.data.Dataset`, which has its labels with it.
            y: their labels, missing ones marked.

        Raises:
            ValueError: there is no label, or one that is not a class.

        Source: Guo et al. 2017, *On calibration of modern neural networks*.
        """
        net = self._fitted_net()
        raw = self._observations(X)
        if isinstance(X, Dataset):
            y = X.y
        known = torch.from_numpy(labels.encode_as(y, len(raw), self.attributes_))
        if not known_rows(known).any():
            raise ValueError("y has no label at all: there is nothing to calibrate by.")
        _calibrate(net, Observations(raw, known))
        return self

    # ------------------------------------------------------------------------------------------- what a thing is

    def predict_proba(self, X: Observed) -> Array | list[Array]:
        """Class probabilities q(c | x): (N, K), or a list of them, one an attribute."""
        parts = infer_classes(self._fitted_net(), self._observations(X))
        return self._probabilities(torch.cat(list(parts)))

    def predict(self, X: Observed) -> Array:
        """The most probable class: (N,), or (N, A) for A attributes."""
        predicted = self._most_probable(X).T
        columns: list[Array] = [
            attribute.classes[numbers] for attribute, numbers in zip(self.attributes_, predicted, strict=True)
        ]
        if len(columns) == 1:
            return columns[0]
        kinds = {column.dtype.kind for column in columns}
        # Side by side, labels of different types would all become strings.
        return np.stack(columns if len(kinds) == 1 else [c.astype(object) for c in columns], axis=1)

    def score(self, X: Observed, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy over the labels that are not missing; the mean over attributes if there are several.

        Raises:
            ValueError: y has no label at all.
        """
        predicted = self._most_probable(X)
        known = labels.encode_as(y, len(predicted), self.attributes_)
        weight = np.ones(len(known)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        accuracies = []
        for numbers, column in zip(predicted.T, known.T, strict=True):
            rows = column != labels.MISSING
            if rows.any():
                accuracies.append(np.average(numbers[rows] == column[rows], weights=weight[rows]))
        if not accuracies:
            raise ValueError("y has no label at all: there is nothing to score.")
        return float(np.mean(accuracies))

    def score_samples(self, X: Observed) -> Array:
        """Lower bound on the log-likelihood of each observation, in nats: (N,). Low means novel.

        It is of the observation as the model sees it: images in [0, 1], features with mean 0 and deviation 1. See
        :func:`partedvae.inference.evidence_bound`.
        """
        return evidence_bound(self._fitted_net(), self._observations(X)).double().numpy()

    def suggest(self, X: Observed, n: int = 10, random_state: RandomState = None) -> Array:
        """The rows of the n observations most worth labelling next, in order; see ``selection``.

        Raises:
            ValueError: n is not between 1 and the number of observations.
        """
        posterior = self._infer(X)
        if not 1 <= n <= len(posterior.log_c):
            raise ValueError(f"n={n}: should be between 1 and the {len(posterior.log_c)} observations of X.")
        entropy = entropy_categorical(posterior.log_c).double().numpy()
        return most_worth_labelling(entropy, posterior.u_mean.numpy(), n, _seed(random_state))

    # ------------------------------------------------------------------------------------------------------ codes

    def encode(self, X: Observed) -> Codes:
        """Class probabilities and the posterior means of u and z; deterministic."""
        posterior = self._infer(X)
        return Codes(self._probabilities(posterior.log_c), posterior.u_mean.numpy(), posterior.z_mean.numpy())

    def draw_codes(self, X: Observed, random_state: RandomState = None) -> Codes:
        """Class probabilities, and u and z drawn from their posteriors given the most probable class."""
        posterior = self._infer(X)
        noise = torch.Generator().manual_seed(_seed(random_state))
        drawn = posterior.sample(noise).numpy()
        u_size = self.net_.partition.u_size
        return Codes(self._probabilities(posterior.log_c), drawn[:, :u_size], drawn[:, u_size:])

    def z_kl(self, X: Observed) -> Array:
        """KL(q(z_i | x) ‖ N(0, 1)) of each observation and dimension, in nats: (N, d_z)."""
        posterior = self._infer(X)
        return kl_standard_normal(posterior.z_mean, posterior.z_logvar).numpy()

    def transform(self, X: Observed) -> Array:
        """Posterior means (N, D_u + D_z), columns u then z."""
        return self._infer(X).mean.numpy()

    def inverse_transform(self, X: ArrayLike) -> Array:
        """Observations of codes (N, D_u + D_z), columns u then z."""
        size = self._fitted_net().partition.size
        codes = check_array(X, dtype=np.float32)
        if codes.shape[1] != size:
            raise ValueError(f"The codes have {codes.shape[1]} columns; the model has {size}, of u then of z.")
        return self._decode(torch.tensor(codes))

    def decode(self, u: ArrayLike, z: ArrayLike) -> Array:
        """Observations of codes u (N, A · d_u) and z (N, d_z), in the shape and range of those that fit saw.

        Images that were uint8 come as floats in [0, 1].
        """
        partition = self._fitted_net().partition
        parts = [np.asarray(part, dtype=np.float32) for part in (u, z)]
        for name, part, size in zip("uz", parts, (partition.u_size, partition.z_dim), strict=True):
            if part.ndim != 2 or part.shape[1] != size:
                raise ValueError(f"{name} has shape {part.shape}; it should be (N, {size}).")
        if len(parts[0]) != len(parts[1]):
            raise ValueError(f"u has {len(parts[0])} rows and z has {len(parts[1])}: they should have as many.")
        return self.inverse_transform(np.concatenate(parts, axis=1))

    def reconstruct(self, X: Observed) -> Array:
        """Observations as the model sees them again: decoded from the posterior means."""
        return self._decode(self._infer(X).mean)

    def get_feature_names_out(self, input_features: object = None) -> Array:
        """Names of the columns of ``transform``: u0, u1 and on, then z0, z1 and on."""
        partition = self._fitted_net().partition
        names = [f"u{i}" for i in range(partition.u_size)] + [f"z{i}" for i in range(partition.z_dim)]
        return np.array(names, dtype=object)

    # ------------------------------------------------------------------------------------------------- generation

    def swap(self, content: Observed, style: Observed) -> Array:
        """Observations with the class-related code of content[i] and the class-independent code of style[i].

        Raises:
            ValueError: content and style differ in length.
        """
        what, how = self._infer(content), self._infer(style)
        if len(what.u_mean) != len(how.z_mean):
            raise ValueError(f"content has {len(what.u_mean)} rows and style has {len(how.z_mean)}: pairs are needed.")
        return self._decode(torch.cat([what.u_mean, how.z_mean], dim=1))

    def sample(self, n: int = 1, label: Label = None, random_state: RandomState = None) -> Array:
        """Observations drawn from the learned prior.

        Args:
            n: how many.
            label: the class; for several attributes a sequence, one an attribute, or a mapping from names of
                attributes to classes. ``None``, or an attribute that is not named, is drawn from π.
            random_state: seed.

        Raises:
            ValueError: label is not a class; n is less than 1.
        """
        net = self._fitted_net()
        if n < 1:
            raise ValueError(f"n={n}: should be at least 1.")
        return self._decode(prior_codes(net, n, labels.numbers_of(label, self.attributes_), _seed(random_state)))

    def counterfactual(self, X: Observed, label: Label) -> Array:
        """Each observation as it would look as another class, its z kept.

        Its u becomes the mean of the class in the prior, unless it is of that class already. For several attributes,
        label is a sequence, one an attribute, where ``None`` leaves an attribute as it is, or a mapping from the names
        of those that change to their classes.
        """
        net = self._fitted_net()
        return self._decode(counterfactual_codes(net, self._infer(X), labels.numbers_of(label, self.attributes_)))

    def traverse(self, X: Observed, code: str = "z", dim: int = 0, values: ArrayLike | None = None) -> Array:
        """Each observation with one dimension of its code moved along values: (N, V, …).

        Args:
            code: ``"u"`` or ``"z"``.
            dim: which dimension of it.
            values: those that it takes; by default nine, over what the prior gives weight to.

        Raises:
            ValueError: there is no such code or dimension.
        """
        column = self._column(code, dim)
        steps = (
            traversal_values(self.net_, column)
            if values is None
            else torch.tensor(np.asarray(values, dtype=np.float32).ravel())
        )
        moved = traversal_codes(self._infer(X).mean, column, steps)
        flat = decode(self.net_, moved.flatten(end_dim=1))
        return self.layout_.to_array(flat.unflatten(0, moved.shape[:2]))

    # ---------------------------------------------------------------------------------------------------- keeping

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a folder: ``config.json``, ``model.safetensors``, ``history.csv``."""
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

        with torch.random.fork_rng(devices=[]):
            net = persistence.read_net(folder, untrained)
        history = persistence.read_history(folder)
        model._set_fitted(net.eval(), attributes, saved.settings, saved.likelihood, saved.class_prior, history)
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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def _settings(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        return {name: _plain(parameters[name]) for name in Config.model_fields}

    def _fitted_net(self) -> PartedModel:
        check_is_fitted(self)
        return self.net_

    def _infer(self, X: Observed) -> Posterior:
        return infer(self._fitted_net(), self._observations(X))

    def _most_probable(self, X: Observed) -> Array:
        """Numbers of the most probable classes, (N, A)."""
        net = self._fitted_net()
        found = [
            torch.stack([part.argmax(dim=1) for part in net.partition.by_attribute(log_c)], dim=1)
            for log_c in infer_classes(net, self._observations(X))
        ]
        return torch.cat(found).numpy()

    def _probabilities(self, log_c: Tensor) -> Array | list[Array]:
        parts = self.net_.partition.by_attribute(log_c)
        return _one_or_list([part.double().softmax(dim=1).numpy() for part in parts])

    def _decode(self, codes: Tensor) -> Array:
        return self.layout_.to_array(decode(self.net_, codes))

    def _column(self, code: str, dim: int) -> int:
        partition = self._fitted_net().partition
        sizes = {"u": partition.u_size, "z": partition.z_dim}
        if code not in sizes:
            raise ValueError(f"code={code!r}: should be 'u' or 'z'.")
        if not 0 <= dim < sizes[code]:
            raise ValueError(f"dim={dim}: {code} has {sizes[code]} dimensions, counted from 0.")
        return dim if code == "u" else partition.u_size + dim


def _calibrate(net: PartedModel, labelled: Observations) -> None:
    wanted = targets_of(labelled.labels, net.partition)
    scale_classes(net.class_head, net.partition, torch.cat(list(infer_classes(net, labelled.x))), wanted)


def _seed(random_state: RandomState) -> int:
    if random_state is None:
        # Fresh entropy: drawing from NumPy's global generator would change the user's random state.
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _one_or_list(values: list[T]) -> T | list[T]:
    return values[0] if len(values) == 1 else values


def _as_list(values: T | list[T]) -> list[T]:
    return values if isinstance(values, list) else [values]


def _plain(value: Any) -> Any:
    """A setting as the configuration takes it: arrays as lists, NumPy's numbers as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
