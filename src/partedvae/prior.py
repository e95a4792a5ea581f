"""The learnable mixture prior of the class-related code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from partedvae.divergences import bhattacharyya_coefficient, kl_normal, kl_normal_each
from partedvae.partition import Partition

_LOGVAR_RANGE = (-2.999, 0.999)  # just inside of what 2·tanh(·) − 1 can be
_TINY = 1e-12
_MANY_CLASSES = 100  # whose 4,950 pairs cost little; of more, only those that matter are laid out
_RANDOM_PAIRS = 5_000
_ROWS_AT_ONCE = 512
_ROUNDING = 1.001
_SLACK = 1.05  # distances by products of matrices lose digits

Pairs = tuple[Tensor, Tensor]


class MixturePrior(nn.Module):
    """p(u_a | c_a = k) = N(μ_{a,k}, diag σ²_{a,k}) with learnable μ and σ, and p(c_a) = Categorical(π_a).

    Marginally a mixture of Gaussians an attribute. ln σ² = 2·tanh(·) − 1 lies in [−3, 1].

    Args:
        partition: the layout of classes and codes.
        class_prior: π, (ΣK,), the proportions of each attribute's classes side by side; they need not be normalised.
        learnable: if not, every component is N(0, I) and stays so.

    Source: Hajimiri et al. 2021.

    >>> prior = MixturePrior(Partition((4, 3), u_dim=2, z_dim=5), torch.ones(7))
    >>> prior.mean.shape, prior.logvar.shape
    (torch.Size([7, 2]), torch.Size([7, 2]))
    """

    mean: Tensor
    raw_logvar: Tensor
    log_class_prior: Tensor
    attribute: Tensor

    def __init__(self, partition: Partition, class_prior: Tensor, *, learnable: bool = True) -> None:
        super().__init__()
        self.partition = partition
        shape = partition.n_classes, partition.u_dim
        if learnable:
            self.mean = nn.Parameter(torch.randn(shape))
            self.raw_logvar = nn.Parameter(torch.randn(shape))
        else:
            self.register_buffer("mean", torch.zeros(shape))
            self.register_buffer("raw_logvar", torch.full(shape, math.atanh(0.5)))  # where 2·tanh(·) − 1 is 0
        normalised = [(pi / pi.sum()).log() for pi in partition.by_attribute(class_prior)]
        self.register_buffer("log_class_prior", torch.cat(normalised))
        self.register_buffer("attribute", torch.tensor(partition.attribute_of_class), persistent=False)

    @property
    def waits(self) -> bool:
        """Whether the pairs of classes that matter are looked for, which on a GPU means to wait for it."""
        return max(self.partition.class_sizes) > _MANY_CLASSES

    @property
    def logvar(self) -> Tensor:
        """Ln σ² of each class, (ΣK, d_u), in [−3, 1]."""
        return 2 * self.raw_logvar.tanh() - 1

    def divergence(self, u_mean: Tensor, u_logvar: Tensor) -> Tensor:
        """KL(q(u_a|x, c_a) ‖ p(u_a|c_a = k)) for every class k of every attribute a.

        Args:
            u_mean, u_logvar: (N, A · d_u), the posterior of each attribute's block.

        Returns:
            (N, ΣK) nats.
        """
        means, logvars = self.partition.blocks(u_mean), self.partition.blocks(u_logvar)
        if self.partition.n_classes > _MANY_CLASSES:
            parts = enumerate(self._components())
            return torch.cat([kl_normal_each(means[:, a], logvars[:, a], *prior) for a, prior in parts], dim=1)
        if self.partition.n_attributes > 1:  # the blocks of one are broadcast to all of its classes
            # The gradient of index_select is faster than that of an index in brackets.
            means, logvars = (blocks.index_select(1, self.attribute) for blocks in (means, logvars))
        return kl_normal(means, logvars, self.mean, self.logvar)

    def move(self, mean: Tensor, variance: Tensor, which: Tensor) -> None:
        """Give some of the components, ``which`` (ΣK,) of them, means and variances (ΣK, d_u); as near as ln σ² may be.

        A prior that is not learned stays where it is.
        """
        if not isinstance(self.mean, nn.Parameter):
            return
        within = (variance.clamp(min=_TINY).log().clamp(*_LOGVAR_RANGE) + 1) / 2
        with torch.no_grad():
            self.mean[which] = mean[which].to(self.mean)
            self.raw_logvar[which] = within.atanh()[which].to(self.mean)

    def overlaps(self, above: float = 0.0) -> list[Tensor]:
        """Bhattacharyya coefficients of the pairs k < l of each attribute's classes: A tensors of K(K − 1)/2 values.

        Args:
            above: of very many pairs, those that are surely not above it are left out.
        """
        return [_overlaps(mean, logvar, *_pairs(mean, logvar, above)) for mean, logvar in self._components()]

    def mean_overlap(self, overlaps: Sequence[Tensor]) -> Tensor:
        """Mean of ``overlaps`` over all pairs; of very many classes, over a random choice of pairs instead."""
        with torch.no_grad():
            found = [
                coefficients if len(mean) <= _MANY_CLASSES else _overlaps(mean, logvar, *_random_pairs(mean))
                for coefficients, (mean, logvar) in zip(overlaps, self._components(), strict=True)
            ]
            return torch.cat(found).mean()

    def _components(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Means and log-variances, attribute by attribute."""
        split = self.partition.by_attribute
        yield from zip(split(self.mean, dim=0), split(self.logvar, dim=0), strict=True)

    def draw_classes(self, n: int, generator: torch.Generator) -> Tensor:
        """Classes drawn from π: (N, A), numbered within each attribute."""
        proportions = self.partition.by_attribute(self.log_class_prior.exp())
        drawn = [torch.multinomial(pi, n, replacement=True, generator=generator) for pi in proportions]
        return torch.stack(drawn, dim=1)

    def component(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (N, A · d_u), of the components of classes (N, A)."""
        columns = classes + torch.tensor(self.partition.first_class, device=classes.device)
        return self.mean[columns].flatten(start_dim=1), self.logvar[columns].flatten(start_dim=1)


def _overlaps(mean: Tensor, logvar: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return bhattacharyya_coefficient(mean[first], logvar[first], mean[second], logvar[second])


def _all_pairs(mean: Tensor) -> Pairs:
    first, second = torch.triu_indices(len(mean), len(mean), offset=1, device=mean.device)
    return first, second


def _pairs(mean: Tensor, logvar: Tensor, above: float) -> Pairs:
    """All pairs; of very many, those that overlap by more than ``above``, found without gradient.

    D_B ≥ ¼ Σ (μ_a − μ_b)²/(σ_a² + σ_b²) ≥ ¼ Σ (μ_a − μ_b)²/(σ_a² + max σ²): the last is made of products of matrices,
    and leaves few pairs for the one before it, which leaves fewer.
    """
    if above <= 0 or len(mean) <= _MANY_CLASSES:
        return _all_pairs(mean)
    with torch.no_grad():
        variance, most = logvar.exp(), _ROUNDING * -math.log(above)
        centred = mean - mean.mean(dim=0)
        weight = 1 / (4 * (variance + variance.amax(dim=0)))
        own = (weight * centred.square()).sum(dim=1)
        parts = []
        for start in range(0, len(mean), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            apart = weight[rows] @ centred[start:].square().T - 2 * (weight * centred)[rows] @ centred[start:].T
            near = apart < _SLACK * most - own[rows, None]
            parts.append(near.triu(diagonal=1).nonzero() + start)
        first, second = torch.cat(parts).unbind(dim=1)
        squares = (mean[first] - mean[second]).square_()
        close = squares.div_(variance[first] + variance[second]).sum(dim=-1) / 4 < most
        first, second = first[close], second[close]
        overlapping = _overlaps(mean, logvar, first, second) > above
        return first[overlapping], second[overlapping]


def _random_pairs(mean: Tensor) -> Pairs:
    """Always the same ones."""
    n, draw = len(mean), torch.Generator().manual_seed(0)
    first = torch.randint(n, (_RANDOM_PAIRS,), generator=draw)
    second = (first + torch.randint(1, n, (_RANDOM_PAIRS,), generator=draw)) % n
    return first.to(mean.device), second.to(mean.device)
