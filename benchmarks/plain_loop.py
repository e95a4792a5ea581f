"""The published training step, restated plainly, and the floor below it: what every speed is compared with.

The plain step does what the published loop does where it costs time: two passes of the encoder, a mask of the class
attention laid out for every class, Adam without fusing, and a number read off the device for every term.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from partedvae.doubling import Doubling
from partedvae.model import TEMPERATURE, PartedModel, Posterior, gumbel
from partedvae.networks import lay_out
from partedvae.objective import Objective
from partedvae.schedules import SHARPEST

Step = Callable[[Tensor, Tensor, Tensor], None]
"""One training step on observations, labelled ones and their labels."""


def with_torchs_layers(model: PartedModel) -> PartedModel:
    """The model with transposed convolutions that are torch's in place of ours, channels first: changed in place."""
    for network in model.modules():
        for name, layer in network.named_children():
            if isinstance(layer, Doubling):
                outside, inside, more = layer.out_channels, layer.in_channels, layer.more
                torchs = nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1, output_padding=more)
                torchs.load_state_dict(layer.state_dict())
                setattr(network, name, torchs)
    lay_out(model, torch.contiguous_format)
    return model


def plain_step(model: PartedModel, objective: Objective, lr: float) -> Step:
    """The published step, for one attribute."""
    supervised = [*model.encoder.parameters(), *model.class_head.parameters()]
    main, labelled = Adam(model.parameters(), lr=lr, foreach=False), Adam(supervised, lr=lr, foreach=False)
    read: dict[str, float] = {}
    noise = torch.Generator(model.prior.mean.device).manual_seed(0)
    # torch says of all attributes of a module that they may be modules.
    attention: Tensor = model.attention.weight  # type: ignore[assignment]
    bias: Tensor = model.attention.bias  # type: ignore[assignment]

    def step(x: Tensor, x_labelled: Tensor, labels: Tensor) -> None:
        labelled.zero_grad()
        known = F.nll_loss(model.log_classes(model.encoder(x_labelled)), labels)
        known.backward()
        labelled.step()
        read["cross_entropy"] = known.item()

        main.zero_grad()
        h = model.encoder(x)
        log_c = model.log_classes(h)
        classes = ((log_c + gumbel(log_c, noise)) / TEMPERATURE).softmax(dim=1)
        # A mask for every observation and class, then their sum by how much each class counts.
        masks = attention[None] * classes[:, :, None]
        attended = h[:, None] * torch.sigmoid(SHARPEST * (masks.sum(dim=1, keepdim=True) + bias))
        u_mean, u_logvar = model.u_mean_head(attended), model.u_logvar_head(attended)
        z_mean, z_logvar = model.class_independent(h)
        mean, logvar = torch.cat([u_mean, z_mean], dim=1), torch.cat([u_logvar, z_logvar], dim=1)
        codes = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        log_likelihood = model.likelihood.log_prob(model.decoder(codes), x)
        terms = objective(Posterior(log_c, u_mean, u_logvar, z_mean, z_logvar), model.prior, log_likelihood, 1)
        terms.total.backward()
        main.step()
        for name, value in terms.named().items():
            read[name] = value.item()

    return step


def floor_step(model: PartedModel, lr: float) -> Step:
    """Encoder and decoder alone: forward, backward and a fused Adam, labelled and other observations in one pass."""
    parameters = [*model.encoder.parameters(), *model.decoder.parameters()]
    optimizer = Adam(parameters, lr=lr, fused=True)
    codes = torch.randn(1, model.partition.size, device=model.prior.mean.device)

    def step(x: Tensor, x_labelled: Tensor, labels: Tensor) -> None:
        del labels
        optimizer.zero_grad()
        loss = model.encoder(torch.cat([x, x_labelled])).sum() + model.decoder(codes.expand(len(x), -1)).sum()
        loss.backward()
        optimizer.step()

    return step
