"""The objective: one pure function a term, and ``Objective``, which weighs them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from partedvae import processes
from partedvae.divergences import entropy_categorical, kl_categorical, kl_standard_normal
from partedvae.model import Posterior
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.schedules import capacity

_LEAST_WEIGHT = 1e-12


def z_kl(z_mean: Tensor, z_logvar: Tensor) -> Tensor:
    """Mean over the batch of KL(q(z|x) ‖ N(0, I)), in nats.

    Args:
        z_mean, z_logvar: (N, d_z).

    Source: Hajimiri et al. 2021, second term of the objective.

    >>> z_kl(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 1))
    tensor(1.)
    """
    return kl_standard_normal(z_mean, z_logvar).sum(dim=1).mean()


def u_kl(log_c: Tensor, divergence: Tensor) -> Tensor:
    """Mean over the batch of Σ_a E_{q(c_a|x)} KL(q(u_a|x, c_a) ‖ p(u_a|c_a)), in nats.

    Args:
        log_c: (N, ΣK), ln q(c|x).
        divergence: (N, ΣK), the KL to the prior of each class (``MixturePrior.divergence``).

    Source: Hajimiri et al. 2021, third term of the objective.

    >>> u_kl(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([[4.0, 0.0]]))
    tensor(1.)
    """
    return (log_c.exp() * divergence).sum(dim=1).mean()


def c_kl(log_c: Tensor, log_class_prior: Tensor) -> Tensor:
    """Σ_a KL(q̄(c_a) ‖ π_a), q̄ the batch mean of q(c_a|x), in nats.

    Args:
        log_c: (N, ΣK), ln q(c|x).
        log_class_prior: (ΣK,), ln π.

    Source: Hajimiri et al. 2021, fourth term of the objective.

    >>> c_kl(torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log(), torch.tensor([0.5, 0.5]).log()).round(decimals=5)
    tensor(0.)
    """
    log_mean = processes.log_mean(log_c.logsumexp(dim=0) - math.log(len(log_c)))
    return kl_categorical(log_mean, log_class_prior)  # of each attribute, and their sum


def c_entropy(log_c: Tensor) -> Tensor:
    """Mean over the batch of Σ_a H(q(c_a|x)), in nats.

    Args:
        log_c: (N, ΣK), ln q(c|x).

    Source: Hajimiri et al. 2021, fifth term of the objective.

    >>> c_entropy(torch.tensor([[0.5, 0.5]]).log())
    tensor(0.6931)
    """
    return entropy_categorical(log_c).mean()


def excess_overlap(overlaps: Sequence[Tensor], threshold: float) -> Tensor:
    """Σ_a Σ_{k<l} max(0, BC(p(u_a|k), p(u_a|l)) − θ): how much classes overlap in the prior beyond what is allowed.

    Args:
        overlaps: one tensor an attribute with the coefficient of each pair (``MixturePrior.overlaps``).
        threshold: θ.

    Source: Hajimiri et al. 2021, last term of the objective.

    >>> excess_overlap([torch.tensor([0.5, 0.1])], threshold=0.2).round(decimals=5)
    tensor(0.3000)
    """
    return (torch.cat(list(overlaps)) - threshold).clamp(min=0).sum()


def capacity_gap(kl: Tensor, allowed: float | Tensor, width: float) -> Tensor:
    """|C(t) − KL| of a batch mean and the capacity of the step, in nats; within ``width`` nats of C(t), rounded.

    The slope of a gap without width changes its sign from batch to batch as soon as the KL is near its capacity: all of
    its weight, as noise. Rounded, (C − KL)² / 2w, it falls to nothing there.

    Args:
        kl: of the batch, in nats.
        allowed: C(t), in nats.
        width: w, in nats; 0 is the published gap.

    Source: Hajimiri et al. 2021; Burgess et al. 2018; rounded as by Huber 1964, which is ours.

    >>> capacity_gap(torch.tensor(3.0), allowed=5.0, width=0.0)
    tensor(2.)
    >>> [capacity_gap(torch.tensor(kl), allowed=5.0, width=1.0).item() for kl in (3.0, 4.5)]
    [1.5, 0.125]
    """
    there = allowed if isinstance(allowed, Tensor) else torch.full_like(kl, allowed)
    return smooth_l1_loss(kl, there, beta=width)


def targets_of(labels: Tensor, partition: Partition) -> Tensor:
    """Labels as probabilities (N, ΣK), all 0 where one is missing.

    Args:
        labels: (N, A), numbered within each attribute, −1 where missing; or (N, K) class probabilities of one
            attribute, which they stay.

    >>> targets_of(torch.tensor([[1, 0], [-1, 2]]), Partition((2, 3), u_dim=1, z_dim=0))
    tensor([[0., 1., 1., 0., 0.],
            [0., 0., 0., 0., 1.]])
    """
    if labels.is_floating_point():
        return labels
    numbers = [torch.arange(size, device=labels.device) for size in partition.class_sizes]
    named = [column[:, None] == classes for column, classes in zip(labels.unbind(dim=1), numbers, strict=True)]
    return torch.cat(named, dim=1).to(torch.get_default_dtype())


def cross_entropy(log_c: Tensor, targets: Tensor, partition: Partition) -> Tensor:
    """− Σ_a mean Σ_k t_k ln q(c_a = k | x) over the rows that have targets of a; an attribute without any adds nothing.

    Of several processes each has its part of the rows: the mean over them of this is that of all rows.

    Args:
        log_c: (N, ΣK), ln q(c|x).
        targets: (N, ΣK), class probabilities t, all 0 where none is known (``targets_of``).

    Returns:
        One value, in nats.

    Source: Hajimiri et al. 2021.

    >>> layout = Partition((2, 2), u_dim=1, z_dim=0)
    >>> targets = targets_of(torch.tensor([[0, -1], [1, -1], [-1, -1]]), layout)
    >>> cross_entropy(torch.full((3, 4), 0.5).log(), targets, layout)
    tensor(0.6931)
    """
    found, weights = (
        torch.stack([part.sum() for part in partition.by_attribute(values)]) for values in (targets * log_c, targets)
    )
    weights = processes.total(weights) / processes.world()[1]
    return -(found / weights.clamp(min=_LEAST_WEIGHT)).sum()


@dataclass(frozen=True)
class Weights:
    """γ of each term, and θ. ``x`` weighs the reconstruction; the published method has 1 there.

    Source: Hajimiri et al. 2021.
    """

    x: float
    z: float
    u: float
    c: float
    h: float
    bc: float
    threshold: float


@dataclass(frozen=True)
class Capacities:
    """The nats that z and u may carry at the end, the step at which they may, and how near a gap is rounded.

    Source: Hajimiri et al. 2021; ``width`` is ours (``capacity_gap``).
    """

    z: float
    u: float
    steps: int
    width: float = 0.0


@dataclass(frozen=True)
class Terms:
    """One evaluation of the objective.

    Attributes:
        weighted: the terms whose sum is minimised, weights included.
        measured: the quantities behind them, unweighted: KLs and entropy in nats, ``bc`` the mean coefficient.
    """

    weighted: Mapping[str, Tensor]
    measured: Mapping[str, Tensor]

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return torch.stack(list(self.weighted.values())).sum()

    def plus(self, name: str, weighted: Tensor, **measured: Tensor) -> Terms:
        """With one more."""
        return Terms({**self.weighted, name: weighted}, {**self.measured, **measured})

    def named(self) -> dict[str, Tensor]:
        """All of them, the total first, detached: what a history keeps."""
        parts = {"loss": self.total, **self.weighted, **self.measured}
        return {name: value.detach() for name, value in parts.items()}


@dataclass(frozen=True)
class Objective:
    """L = γ_x·reconstruction + γ_z·|C_z − KL_z| + γ_u·|C_u − KL_u| + γ_c·KL_c + γ_h·H + γ_bc·overlap.

    Other terms are added by :mod:`partedvae.extra_terms`.

    Source: Hajimiri et al. 2021.
    """

    weights: Weights
    capacities: Capacities

    def __call__(self, posterior: Posterior, prior: MixturePrior, log_likelihood: Tensor, step: int | Tensor) -> Terms:
        """The terms of one batch.

        Args:
            posterior: q(c, u, z | x) of the batch.
            prior: of u and c.
            log_likelihood: (N,), ln p(x | u, z) in nats.
            step: how many steps have been taken, this one included.
        """
        weights, limits = self.weights, self.capacities
        fit = log_likelihood.mean()
        # The capacities are those of the whole batch, whose parts several processes may have.
        kl_of_u = processes.mean(u_kl(posterior.log_c, prior.divergence(posterior.u_mean, posterior.u_logvar)))
        kl_of_c = c_kl(posterior.log_c, prior.log_class_prior)
        entropy = c_entropy(posterior.log_c)
        overlaps = prior.overlaps(above=weights.threshold)
        weighted = {
            "reconstruction": -weights.x * fit,
            "u_term": weights.u * capacity_gap(kl_of_u, capacity(step, limits.u, limits.steps), limits.width),
            "c_term": weights.c * kl_of_c,
            "entropy_term": weights.h * entropy,
            "bc_term": weights.bc * excess_overlap(overlaps, weights.threshold),
        }
        measured = {
            "log_likelihood": fit,
            "u_kl": kl_of_u,
            "c_kl": kl_of_c,
            "c_entropy": entropy,
            "bc": prior.mean_overlap(overlaps),
        }
        if prior.partition.z_dim:  # without z there is nothing whose capacity could be missed
            kl_of_z = processes.mean(z_kl(posterior.z_mean, posterior.z_logvar))
            weighted["z_term"] = weights.z * capacity_gap(kl_of_z, capacity(step, limits.z, limits.steps), limits.width)
            measured["z_kl"] = kl_of_z
        return Terms(weighted, measured)
