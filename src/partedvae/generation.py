"""Codes to decode: drawn from the prior, swapped, moved to another class, or moved along one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor

from partedvae.model import PartedModel, Posterior
from partedvae.prior import MixturePrior

_STEPS = 9
_REACH = 2.0  # standard deviations that a traversal goes to either side


def prior_codes(model: PartedModel, n: int, classes: Sequence[int | None], seed: int) -> Tensor:
    """Joined codes (n, D_u + D_z) drawn from the learned prior.

    Args:
        classes: one an attribute; ``None`` draws the class from π.
    """
    generator, prior = torch.Generator().manual_seed(seed), _prior_of(model)
    with torch.inference_mode():
        drawn = prior.draw_classes(n, generator)
        for attribute, chosen in enumerate(classes):
            if chosen is not None:
                drawn[:, attribute] = chosen
        mean, logvar = prior.component(drawn)
        u = mean + (0.5 * logvar).exp() * torch.empty_like(mean).normal_(generator=generator)
        z = mean.new_empty(n, model.partition.z_dim).normal_(generator=generator)
        return torch.cat([u, z], dim=1)


def counterfactual_codes(model: PartedModel, posterior: Posterior, classes: Sequence[int | None]) -> Tensor:
    """Joined codes of each observation as another class, its z kept.

    The block of u of an attribute that changes becomes the mean of the other class in the prior. One that is of that
    class already, or whose class is ``None``, stays as it is.

    Carrying the place within the old class over to the new one, in standard deviations, was tried: while KL(u) is held
    at a capacity, codes lie far from their own component's mean, and what was carried over outweighed the class.
    """
    partition = model.partition
    with torch.inference_mode():
        own = torch.stack([part.argmax(dim=1) for part in partition.by_attribute(posterior.log_c)], dim=1)
        other = own.clone()
        for attribute, chosen in enumerate(classes):
            if chosen is not None:
                other[:, attribute] = chosen
        mean, _ = _prior_of(model).component(other)
        changed = (own != other).repeat_interleave(partition.u_dim, dim=1)
        return torch.cat([torch.where(changed, mean, posterior.u_mean), posterior.z_mean], dim=1)


def traversal_values(model: PartedModel, column: int) -> Tensor:
    """Values along one column of the joined codes that the prior gives weight to.

    For z: −2 to 2. For u: from two standard deviations below the lowest component to two above the highest.
    """
    partition = model.partition
    if column >= partition.u_size:
        return torch.linspace(-_REACH, _REACH, _STEPS)
    attribute, within = divmod(column, partition.u_dim)
    prior = _prior_of(model)
    with torch.inference_mode():
        mean = partition.by_attribute(prior.mean, dim=0)[attribute][:, within]
        reach = _REACH * (0.5 * partition.by_attribute(prior.logvar, dim=0)[attribute][:, within]).exp()
        return torch.linspace(float((mean - reach).min()), float((mean + reach).max()), _STEPS)


def traversal_codes(codes: Tensor, column: int, values: Tensor) -> Tensor:
    """Joined codes (N, V, D): each observation with one column set to each of V values.

    >>> traversal_codes(torch.zeros(1, 2), column=1, values=torch.tensor([-1.0, 1.0]))
    tensor([[[ 0., -1.],
             [ 0.,  1.]]])
    """
    moved = codes.unsqueeze(1).repeat(1, len(values), 1)
    moved[:, :, column] = values
    return moved


def _prior_of(model: PartedModel) -> MixturePrior:
    """The prior where codes are drawn and moved: on the processor, wherever the networks are."""
    return deepcopy(model.prior).cpu()
