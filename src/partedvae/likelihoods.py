"""p(x | u, z): what the decoder's output says about an observation."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LikelihoodName = Literal["bernoulli", "gaussian", "laplace"]

_SMALLEST_LOG_SCALE = -7.0  # keeps the density finite on constant data


class Likelihood(nn.Module):
    """A distribution of observations around the decoder's output; all dimensions are independent given u and z."""

    def mean(self, output: Tensor) -> Tensor:
        """The expected observation, shaped like ``output``."""
        raise NotImplementedError

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Ln p(x | output) summed over all but the first dimension: (N,) nats."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """x ln p + (1 − x) ln(1 − p) with p = sigmoid(output); x in [0, 1] need not be binary.

    Source: Hajimiri et al. 2021 (grey images).

    >>> Bernoulli().log_prob(torch.zeros(1, 2), torch.ones(1, 2))
    tensor([-1.3863])
    """

    def mean(self, output: Tensor) -> Tensor:
        """The expected observation."""
        return output.sigmoid()

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Nats of each observation, (N,)."""
        return -F.binary_cross_entropy_with_logits(output, x, reduction="none").flatten(start_dim=1).sum(dim=1)


class _LocationScale(Likelihood):
    """A location from the decoder and one scale for all dimensions.

    Args:
        bounded: observations lie in [0, 1], so the location is sigmoid(output); else it is the output.
        scale: the fixed scale, or ``None`` for one that is fit along with the decoder.
    """

    log_scale: Tensor

    def __init__(self, bounded: bool, scale: float | None = None) -> None:
        super().__init__()
        self.bounded = bounded
        if scale is None:
            # One start for both kinds of data: the spread of standardised features, and of pixels in [0, 1].
            self.log_scale = nn.Parameter(torch.tensor(math.log(0.25 if bounded else 1.0)))
        else:
            self.register_buffer("log_scale", torch.tensor(math.log(scale)))

    def mean(self, output: Tensor) -> Tensor:
        """The expected observation."""
        return output.sigmoid() if self.bounded else output

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """Nats of each observation, (N,)."""
        log_scale = self.log_scale.clamp(min=_SMALLEST_LOG_SCALE)
        standardised = (x - self.mean(output)) * (-log_scale).exp()
        return (self._log_density(standardised) - log_scale).flatten(start_dim=1).sum(dim=1)

    def _log_density(self, standardised: Tensor) -> Tensor:
        raise NotImplementedError


class Gaussian(_LocationScale):
    """− ½ (x − μ)²/σ² − ln σ − ½ ln 2π.

    Source: Hajimiri et al. 2021; a scale fit to the data as in Rybkin et al. 2021.

    >>> Gaussian(bounded=False, scale=1.0).log_prob(torch.zeros(1, 1), torch.zeros(1, 1))
    tensor([-0.9189])
    """

    def _log_density(self, standardised: Tensor) -> Tensor:
        return -0.5 * (standardised.square() + math.log(2 * math.pi))


class Laplace(_LocationScale):
    """− |x − μ|/b − ln b − ln 2. With b = 1 it is the published absolute error, but for the constant ln 2.

    Source: Hajimiri et al. 2021 (faces).

    >>> Laplace(bounded=False, scale=1.0).log_prob(torch.zeros(1, 1), torch.ones(1, 1))
    tensor([-1.6931])
    """

    def _log_density(self, standardised: Tensor) -> Tensor:
        return -standardised.abs() - math.log(2)


def make_likelihood(name: LikelihoodName, bounded: bool, scale: float | None) -> Likelihood:
    """The likelihood of that name; ``bounded`` and ``scale`` as for the location-scale ones.

    >>> make_likelihood("laplace", bounded=True, scale=None).log_scale.requires_grad
    True
    """
    if name == "bernoulli":
        return Bernoulli()
    return (Gaussian if name == "gaussian" else Laplace)(bounded=bounded, scale=scale)
