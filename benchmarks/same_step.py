"""One training step of the authors' published code and one of ours, from the same weights, pictures and noise.

    python benchmarks/same_step.py --repository parted-vae

Loss and gradients are compared term by term and layer by layer: the largest difference, relative to the largest
gradient of the layer. It takes seconds, and says more than runs that differ by their noise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import record
from partedvae.config import Config, preset
from partedvae.factory import Schedule, make_model, make_objective
from partedvae.model import PartedModel
from partedvae.scaling import Scaling
from partedvae.schedules import sharpness
from published_code import PublishedModel

STEP, CAPACITY_STEPS, SHARPNESS_STEPS, BATCH = 12_000, 25_000, 35_000, 64
Pairs = list[tuple[str, Tensor, Tensor]]


def main() -> None:
    """Compare, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    theirs = PublishedModel(parser.parse_args().repository, np.arange(10), seed=0)
    config = Config.checked({**preset("paper-mnist"), "capacity_steps": CAPACITY_STEPS})
    ours = make_model(config, Scaling((1, 32, 32)), "bernoulli", (10,), [[0.1] * 10])
    pairs = same_parameters(ours, theirs.net)
    with torch.no_grad():
        for _, own, other in pairs:
            own.copy_(other)

    x = torch.from_numpy(np.random.default_rng(0).random((BATCH, 1, 32, 32), dtype=np.float32))
    with fixed_noise():
        trainer = theirs.trainer([torch.optim.Adam(theirs.net.parameters()) for _ in range(2)])
        trainer.num_steps = STEP
        theirs.net.train()
        theirs.net.sigmoid_coef = sharpness(STEP - 1, SHARPNESS_STEPS)  # theirs grows in the forward pass
        picture, posterior_of_theirs = theirs.net(x)
        their_loss, _ = trainer._loss_function(x, picture, posterior_of_theirs)
        their_loss.backward()

        posterior = ours.infer(x, sharpness(STEP, SHARPNESS_STEPS), torch.Generator())
        log_likelihood = ours.likelihood.log_prob(ours.decoder(posterior.sample(torch.Generator())), x)
        objective = make_objective(config, (1, 32, 32), Schedule(CAPACITY_STEPS, SHARPNESS_STEPS))
        our_loss = objective(posterior, ours.prior, log_likelihood, STEP).total
        our_loss.backward()

    figures: dict[str, Any] = {"their_loss": float(their_loss.detach()), "our_loss": float(our_loss.detach())}
    figures["gradients"] = {name: _difference(own, other) for name, own, other in gradients(ours, theirs.net)}
    figures["largest"] = max(figures["gradients"].values())
    path = record.write("same_step", figures)
    table = Table("gradient of", "largest relative difference", title="one step, published code and ours")
    for name, value in figures["gradients"].items():
        table.add_row(name, f"{value:.1e}")
    Console().print(table)
    print(f"loss: theirs {figures['their_loss']:.4f}, ours {figures['our_loss']:.4f}; written to {path}")


def same_parameters(ours: PartedModel, theirs: Any) -> Pairs:
    """Parameters that mean the same, theirs in the shape of ours."""
    z = torch.cat([theirs.z_mean_fc.weight, theirs.z_logvar_fc.weight])
    z_bias = torch.cat([theirs.z_mean_fc.bias, theirs.z_logvar_fc.bias])
    return list(_paired(ours, theirs, lambda parameter: parameter, z, z_bias))


def gradients(ours: PartedModel, theirs: Any) -> Pairs:
    """Gradients of the same parameters."""
    z = torch.cat([theirs.z_mean_fc.weight.grad, theirs.z_logvar_fc.weight.grad])
    z_bias = torch.cat([theirs.z_mean_fc.bias.grad, theirs.z_logvar_fc.bias.grad])
    return list(_paired(ours, theirs, lambda parameter: parameter.grad, z, z_bias))


def _paired(ours: PartedModel, theirs: Any, of: Any, z: Tensor, z_bias: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    networks = {
        "encoder": (ours.encoder, [*theirs.img_to_features, *theirs.features_to_hidden]),
        "decoder": (ours.decoder, [*theirs.latent_to_features, *theirs.features_to_img]),
    }
    u_size = ours.partition.u_size
    z_size = ours.partition.z_dim
    u_then_z = torch.cat([torch.arange(z_size, z_size + u_size), torch.arange(z_size)])  # theirs decode z, then u
    for name, (network, layers) in networks.items():
        for number, (own, other) in enumerate(zip(_weighted(network.modules()), _weighted(layers), strict=True)):
            weight = of(other.weight)
            first = name == "decoder" and number == 0
            yield f"{name} {number}", of(own.weight), weight[:, u_then_z] if first else weight
            yield f"{name} {number}, bias", of(own.bias), of(other.bias)
    yield "class head", of(ours.class_head.weight), of(theirs.h_to_c_logit_fc.weight)
    yield "class head, bias", of(ours.class_head.bias), of(theirs.h_to_c_logit_fc.bias)
    yield "attention", of(ours.attention.weight), of(theirs.c_to_a_logit_pc.weight).T
    yield "attention, bias", of(ours.attention.bias)[0], of(theirs.c_to_a_logit_pc.bias)
    for name, head, layer in (
        ("mean of u", ours.u_mean_head, theirs.h_dot_a_to_u_mean_pc),
        ("log-variance of u", ours.u_logvar_head, theirs.h_dot_a_to_u_logvar_pc),
    ):
        yield name, of(head.weight)[0], of(layer.weight).T
        yield f"{name}, bias", of(head.bias), of(layer.bias)
    if ours.z_head is not None:
        yield "z", of(ours.z_head.weight), z
        yield "z, bias", of(ours.z_head.bias), z_bias
    yield "prior means", of(ours.prior.mean), of(theirs.u_prior_means)
    yield "prior log-variances", of(ours.prior.raw_logvar), of(theirs.u_prior_logvars_before_tanh)


def _weighted(layers: Iterable[nn.Module]) -> list[Any]:
    return [layer for layer in layers if hasattr(layer, "weight")]


@contextmanager
def fixed_noise() -> Iterator[None]:
    """Uniform noise of 1/2, in whichever form it is asked for, and normal noise of 0.3."""
    with (
        mock.patch.object(Tensor, "normal_", lambda self, *a, **k: self.fill_(0.3)),
        mock.patch.object(Tensor, "exponential_", lambda self, *a, **k: self.fill_(math.log(2))),
        mock.patch.object(torch, "rand", lambda size, **k: torch.full(tuple(size), 0.5)),
    ):
        yield


def _difference(own: Tensor, other: Tensor) -> float:
    return float((own - other).abs().max() / other.abs().max())


if __name__ == "__main__":
    main()
