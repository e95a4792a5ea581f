"""The model: observations to a posterior over c, u and z, codes to observations. No loss, no training state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partedvae.attention import AttendedLinear, ClassAttention, OpenAttention
from partedvae.likelihoods import Likelihood
from partedvae.networks import make_decoder, make_encoder
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.scaling import Scaling
from partedvae.schedules import SHARPEST

TEMPERATURE = 0.67
"""τ of the Gumbel-softmax, as published."""

_LOGVAR_RANGE = (-15.0, 10.0)  # standard deviations of 6·10⁻⁴ to 150: no code needs more, and exp cannot overflow


@dataclass(frozen=True)
class Posterior:
    """q(c, u, z | x) of N observations.

    Attributes:
        log_c: (N, ΣK), ln q(c_a = k | x), attribute by attribute.
        u_mean, u_logvar: (N, A · d_u), q(u | x, c) for the classes that attention was given.
        z_mean, z_logvar: (N, d_z), q(z | x).
    """

    log_c: Tensor
    u_mean: Tensor
    u_logvar: Tensor
    z_mean: Tensor
    z_logvar: Tensor

    @property
    def mean(self) -> Tensor:
        """Posterior means of the joined codes: (N, D_u + D_z), columns u then z."""
        return torch.cat([self.u_mean, self.z_mean], dim=1)

    @property
    def scale(self) -> Tensor:
        """Posterior standard deviations of the joined codes: (N, D_u + D_z)."""
        return (0.5 * torch.cat([self.u_logvar, self.z_logvar], dim=1)).exp()

    def sample(self, generator: torch.Generator) -> Tensor:
        """Codes drawn from the posterior by reparameterisation: (N, D_u + D_z)."""
        return self.at(torch.empty_like(self.mean).normal_(generator=generator))

    def at(self, deviations: Tensor) -> Tensor:
        """Codes so many standard deviations from the mean: (N, D_u + D_z)."""
        return self.mean + self.scale * deviations


class PartedModel(nn.Module):
    """The networks and the prior.

    Args:
        scaling: from raw observations to those that everything else here takes; it knows their shape.
        partition: the layout of c, u and z.
        class_prior: π, (ΣK,).
        likelihood: p(x | u, z).
        hidden_dim: size of h.
        attention: whether the class chooses the features that u is made of.
        learnable_prior: whether p(u | c) is learned; if not, it is N(0, I) for every class.

    Source: Hajimiri et al. 2021.

    >>> from partedvae.likelihoods import Bernoulli
    >>> layout = Partition((10,), u_dim=4, z_dim=3)
    >>> model = PartedModel(Scaling((1, 8, 8)), layout, torch.ones(10), Bernoulli())
    >>> posterior = model.infer(model.scaling(torch.rand(5, 1, 8, 8)))
    >>> posterior.log_c.shape, posterior.u_mean.shape, posterior.z_mean.shape
    (torch.Size([5, 10]), torch.Size([5, 4]), torch.Size([5, 3]))
    >>> model.likelihood.mean(model.decoder(posterior.mean)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        scaling: Scaling,
        partition: Partition,
        class_prior: Tensor,
        likelihood: Likelihood,
        hidden_dim: int = 256,
        *,
        attention: bool = True,
        learnable_prior: bool = True,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.partition = partition
        self.encoder = make_encoder(scaling.shape, hidden_dim)
        self.class_head = nn.Linear(hidden_dim, partition.n_classes)
        self.attention: ClassAttention | OpenAttention = (
            ClassAttention(partition, hidden_dim) if attention else OpenAttention(partition)
        )
        self.u_mean_head = AttendedLinear(partition, hidden_dim)
        self.u_logvar_head = AttendedLinear(partition, hidden_dim)
        # One head for both halves of z; none without z, since a layer of no outputs has nothing to initialise.
        self.z_head = nn.Linear(hidden_dim, 2 * partition.z_dim) if partition.z_dim else None
        self.prior = MixturePrior(partition, class_prior, learnable=learnable_prior)
        self.decoder = make_decoder(scaling.shape, partition.size, hidden_dim)
        self.likelihood = likelihood

    def log_classes(self, h: Tensor) -> Tensor:
        """Ln q(c | x), (N, ΣK), from hidden features (N, H)."""
        return self.partition.log_softmax(in_full(self.class_head(h)))

    def class_related(self, h: Tensor, classes: Tensor, sharpness: float | Tensor = SHARPEST) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(u | x, c), each (N, A · d_u), for class weights (N, ΣK)."""
        attended = h.unsqueeze(1) * self.attention(classes, sharpness)
        return in_full(self.u_mean_head(attended)), in_full(self.u_logvar_head(attended)).clamp(*_LOGVAR_RANGE)

    def class_independent(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (N, d_z)."""
        if self.z_head is None:
            return h[:, :0], h[:, :0]
        mean, logvar = in_full(self.z_head(h)).chunk(2, dim=1)
        return mean, logvar.clamp(*_LOGVAR_RANGE)

    def infer(self, x: Tensor, sharpness: float = SHARPEST, generator: torch.Generator | None = None) -> Posterior:
        """The posterior of observations.

        Args:
            x: (N, …), scaled observations.
            sharpness: of the attention.
            generator: draws the relaxed classes that attention is given, as in training; without it attention is
                given the one-hot arg max, as at test time.
        """
        return self.posterior(x, sharpness, None if generator is None else self.class_noise(x, generator))

    def posterior(self, x: Tensor, sharpness: float | Tensor, noise: Tensor | None) -> Posterior:
        """``infer`` with the noise of the classes, (N, ΣK), given: a function of its arguments alone."""
        h = self.encoder(x)
        log_c = self.log_classes(h)
        classes = self.modal_classes(log_c) if noise is None else self.relaxed_classes(log_c, noise)
        return Posterior(log_c, *self.class_related(h, classes, sharpness), *self.class_independent(h))

    def class_noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Gumbel(0, 1) noise for every class of observations (N, …): (N, ΣK)."""
        return gumbel(x.new_empty(len(x), self.partition.n_classes), generator)

    def relaxed_classes(self, log_c: Tensor, noise: Tensor) -> Tensor:
        """Gumbel-softmax draws ĉ of every attribute, (N, ΣK), made by Gumbel(0, 1) noise g.

        softmax((ln q(c|x) + g) / τ)

        Source: Hajimiri et al. 2021; Jang et al. 2017.
        """
        perturbed = (log_c + noise) / TEMPERATURE
        return torch.cat([part.softmax(dim=-1) for part in self.partition.by_attribute(perturbed)], dim=-1)

    def modal_classes(self, log_c: Tensor) -> Tensor:
        """The most probable class of every attribute, one-hot, (N, ΣK)."""
        one_hot = [F.one_hot(part.argmax(dim=-1), part.shape[-1]) for part in self.partition.by_attribute(log_c)]
        return torch.cat(one_hot, dim=-1).to(log_c.dtype)


def in_full(numbers: Tensor) -> Tensor:
    """What networks say, in at least 32 bits: capacities are of KLs whose digits a shorter number would lose."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))


def gumbel(like: Tensor, generator: torch.Generator) -> Tensor:
    """Gumbel(0, 1) noise of the shape of ``like``: added to log-probabilities, its arg max is a draw from them."""
    return -torch.empty_like(like).exponential_(generator=generator).log()
