"""Swaps in training: decoded from the u of one observation and the z of another, they show the class of the first."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from partedvae.divergences import kl_categorical
from partedvae.model import PartedModel, in_full

_SHARE = 4  # one swap for so many observations was as good as one for each, at a quarter of the cost


def decoded_with_swaps(model: PartedModel, codes: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder makes of codes, (N, …), and of the swaps among them, (⌈N/4⌉, …).

    A swap has the u of an observation and the z of the one after it. One pass for all costs less than one for each.

    Args:
        codes: (N, D_u + D_z), of observations in random order, the first quarter of which give the u of swaps.
    """
    n = -(-len(codes) // _SHARE)
    u, z = model.partition.split(codes)
    swaps = torch.cat([u[:n], z.roll(-1, dims=0)[:n]], dim=1)
    output, swapped = model.decoder(torch.cat([codes, swaps])).split([len(codes), n])
    return output, swapped


def unrecognised(model: PartedModel, log_c: Tensor, swapped: Tensor) -> Tensor:
    """How little swaps are recognised, in nats: 0 if the predictor sees in each the classes that u came from.

    mean_i Σ_a KL(q(c_a | x_i) ‖ q(c_a | x̂_i)),  x̂_i the expected observation of (u_i, z_{i+1})

    The encoder and the class head judge and are taken as they are, and so is what they say of x_i: decoder, u and z
    have to change. Independent codes alone do not ask that of the decoder: where z tells the class in detail that
    ``dependence`` does not see, it may draw the class of z.

    Args:
        log_c: (N, ΣK), ln q(c | x).
        swapped: (M, …), what the decoder makes of the swaps of the first M observations.

    Source: in the spirit of the mutual information that Chen et al. 2016 ask of a generator's classes (InfoGAN).
    """
    expected = model.likelihood.mean(swapped)
    logits = in_full(_as_it_is(model.class_head, _as_it_is(model.encoder, expected)))
    seen = model.partition.log_softmax(logits)
    return kl_categorical(log_c[: len(swapped)].detach(), seen).mean()  # of each attribute, and their sum


def _as_it_is(network: nn.Module, x: Tensor) -> Tensor:
    """What a network says, with no gradient for its weights."""
    said: Tensor = functional_call(network, {name: weight.detach() for name, weight in network.named_parameters()}, x)
    return said
