"""The learnable mixture prior of the class-related code."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from partedvae.divergences import bhattacharyya_coefficient, kl_normal
from partedvae.partition import Partition

_LOGVAR_RANGE = (-2.999, 0.999)  # just inside of what 2·tanh(·) − 1 can be
_TINY = 1e-12


class MixturePrior(nn.Module):
    """p(u_a | c_a = k) = N(μ_{a,k}, diag σ²_{a,k}) with learnable μ and σ, and p(c_a) = Categorical(π_a).

    Marginally a mixture of Gaussians an attribute. ln σ² = 2·tanh(·) − 1 lies in [−3, 1].

    Args:
        partition: the layout of classes and codes.
        class_prior: π, (ΣK,), the proportions of each attribute's classes side by side; they need not be normalised.
        learnable: if not, every component is N(0, I) and stays so.

    Source: METHOD.md, generative side.

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
        mean = self.partition.blocks(u_mean)[:, self.attribute]
        logvar = self.partition.blocks(u_logvar)[:, self.attribute]
        return kl_normal(mean, logvar, self.mean, self.logvar)

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

    def overlaps(self) -> list[Tensor]:
        """Bhattacharyya coefficients of the pairs k < l of each attribute's classes: A tensors of K(K − 1)/2 values."""
        return [
            _pairwise_overlaps(mean, logvar)
            for mean, logvar in zip(
                self.partition.by_attribute(self.mean, dim=0),
                self.partition.by_attribute(self.logvar, dim=0),
                strict=True,
            )
        ]

    def draw_classes(self, n: int, generator: torch.Generator) -> Tensor:
        """Classes drawn from π: (N, A), numbered within each attribute."""
        proportions = self.partition.by_attribute(self.log_class_prior.exp())
        drawn = [torch.multinomial(pi, n, replacement=True, generator=generator) for pi in proportions]
        return torch.stack(drawn, dim=1)

    def component(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (N, A · d_u), of the components of classes (N, A)."""
        columns = classes + torch.tensor(self.partition.first_class, device=classes.device)
        return self.mean[columns].flatten(start_dim=1), self.logvar[columns].flatten(start_dim=1)

    def log_prob(self, u: Tensor) -> Tensor:
        """Ln p(u_a) under each attribute's mixture: (N, A) nats for codes u of shape (N, A · d_u).

        ln Σ_k π_k N(u_a; μ_k, σ_k²)
        """
        blocks = self.partition.blocks(u)[:, self.attribute]
        component = torch.distributions.Normal(self.mean, (0.5 * self.logvar).exp())
        joint = component.log_prob(blocks).sum(dim=-1) + self.log_class_prior
        return torch.stack([part.logsumexp(dim=-1) for part in self.partition.by_attribute(joint)], dim=-1)


def _pairwise_overlaps(mean: Tensor, logvar: Tensor) -> Tensor:
    first, second = torch.triu_indices(len(mean), len(mean), offset=1, device=mean.device)
    return bhattacharyya_coefficient(mean[first], logvar[first], mean[second], logvar[second])
