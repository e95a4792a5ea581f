"""From settings and the kind of the data to a model, its objective and the lengths of its schedules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from partedvae.config import Config
from partedvae.likelihoods import LikelihoodName, make_likelihood
from partedvae.model import PartedModel
from partedvae.objective import Capacities, Objective, Weights
from partedvae.ondemand import Raw, parts
from partedvae.partition import Partition
from partedvae.scaling import Scaling, require_shares

REFERENCE_DIMENSIONS = 1024
"""The published weights are for 32×32 pixels: pictures of other sizes weigh as if they had as many."""


@dataclass(frozen=True)
class Schedule:
    """Steps after which the capacities, and the attention's sharpness, have reached their end."""

    capacity_steps: int
    sharpness_steps: int

    @classmethod
    def of(cls, config: Config, steps_in_run: int) -> Schedule:
        """The schedule of a run; ``auto`` is half of it."""
        half = max(1, steps_in_run // 2)
        return cls(
            capacity_steps=half if config.capacity_steps == "auto" else config.capacity_steps,
            sharpness_steps=half if config.sharpness_steps == "auto" else config.sharpness_steps,
        )


def choose_likelihood(config: Config, raw: Raw) -> LikelihoodName:
    """The configured likelihood, or for ``auto`` the one that suits the observations (N, …).

    >>> choose_likelihood(Config(), torch.zeros(5, 3, 8, 8, dtype=torch.uint8))
    'laplace'
    """
    if config.likelihood != "auto":
        return config.likelihood
    if raw.ndim == 4:
        return "bernoulli" if raw.shape[1] == 1 else "laplace"
    return "bernoulli" if all(bool(((part == 0) | (part == 1)).all()) for part in parts(raw)) else "gaussian"


def fit_scaling(raw: Raw, likelihood: LikelihoodName) -> Scaling:
    """The scaling of observations; features under a Bernoulli likelihood must lie in [0, 1] as they are."""
    if likelihood == "bernoulli":
        require_shares(raw, "X", "Scale X, or use likelihood='gaussian'.")
    return Scaling.fit(raw, standardise=likelihood != "bernoulli")


def make_model(
    config: Config,
    scaling: Scaling,
    likelihood: LikelihoodName,
    class_sizes: tuple[int, ...],
    class_prior: list[list[float]],
) -> PartedModel:
    """An untrained model; its weights come from torch's global generator."""
    proportions = [proportion for pi in class_prior for proportion in pi]
    return PartedModel(
        scaling=scaling,
        partition=Partition(class_sizes, config.u_dim, config.z_dim),
        # Not where weights only have shapes: for arithmetic there, torch would load its compiler, which takes seconds.
        class_prior=torch.tensor(proportions, device="cpu"),
        likelihood=make_likelihood(
            likelihood,
            bounded=len(scaling.shape) == 3,
            scale=None if config.scale == "fit" else config.scale,
        ),
        hidden_dim=config.hidden_dim,
        attention=config.attention,
        learnable_prior=config.prior == "mixture",
    )


def make_objective(config: Config, shape: tuple[int, ...], schedule: Schedule) -> Objective:
    """The objective for observations of ``shape``.

    >>> make_objective(Config(), (1, 8, 8), Schedule(100, 100)).weights.x
    16.0
    """
    return Objective(
        Weights(
            x=reconstruction_weight(shape) if config.gamma_x == "auto" else config.gamma_x,
            z=config.gamma_z,
            u=config.gamma_u,
            c=config.gamma_c,
            h=config.gamma_h,
            bc=config.gamma_bc if config.prior == "mixture" else 0.0,  # classes that are the same cannot part
            threshold=config.bc_threshold,
        ),
        Capacities(config.z_capacity, config.u_capacity, schedule.capacity_steps, config.capacity_width),
    )


def reconstruction_weight(shape: tuple[int, ...]) -> float:
    """γ_x that makes one set of weights serve observations of every size.

    A picture at twice the resolution has four times the pixels and shows the same: what a nat of the codes is worth in
    reconstruction grows with the pixels, and this takes it back. Few features hold what few features hold, so theirs
    are never weighed up.

    >>> reconstruction_weight((1, 8, 8)), reconstruction_weight((64,)), reconstruction_weight((20_480,))
    (16.0, 1.0, 0.05)
    """
    relative = REFERENCE_DIMENSIONS / math.prod(shape)
    return relative if len(shape) == 3 else min(1.0, relative)


def check_class_prior(config: Config, class_counts: Sequence[NDArray[Any]]) -> list[list[float]]:
    """π of each attribute, or a ValueError if what is configured does not fit the classes.

    Labels may have been drawn, and then their counts tell how frequent classes are, or chosen class by class, and then
    they do not. By default π is halfway between the two, on a scale of logarithms.

    Args:
        config: the settings.
        class_counts: how many labels each class of each attribute has.

    >>> import numpy as np
    >>> check_class_prior(Config(class_prior="uniform"), [np.array([7, 1]), np.array([1, 1, 1, 1])])
    [[0.5, 0.5], [0.25, 0.25, 0.25, 0.25]]
    >>> check_class_prior(Config(class_prior="estimated"), [np.array([7, 1])])
    [[0.8, 0.2]]
    >>> [[round(p, 4) for p in pi] for pi in check_class_prior(Config(), [np.array([7, 1])])]
    [[0.6667, 0.3333]]
    """
    given = config.class_prior
    class_sizes = tuple(map(len, class_counts))
    if isinstance(given, str):
        share = {"uniform": 0.0, "auto": 0.5, "estimated": 1.0}[given]  # of what the counts say
        weights = [(counts + 1.0) ** share for counts in class_counts]
        return [(weight / weight.sum()).tolist() for weight in weights]
    nested = [[float(p) for p in part] if isinstance(part, list) else part for part in given]
    priors: list[list[float]] = (
        [part for part in nested if isinstance(part, list)]
        if all(isinstance(part, list) for part in nested)
        else [[float(p) for p in nested if not isinstance(p, list)]]
    )
    if tuple(map(len, priors)) != class_sizes:
        raise ValueError(
            f"class_prior has {_sizes(priors) or 'no'} proportions, the labels have {_sizes(class_sizes)} classes."
        )
    for attribute, prior in enumerate(priors):
        if not (min(prior) > 0 and abs(sum(prior) - 1) <= 0.02):  # also of NaN
            raise ValueError(
                f"class_prior of attribute {attribute} must be positive and sum to 1; it is {prior}, "
                f"which sums to {sum(prior):g}."
            )
    return priors


def _sizes(parts: list[list[float]] | tuple[int, ...]) -> str:
    return ", ".join(str(part if isinstance(part, int) else len(part)) for part in parts)
