"""VAE, β-VAE and FactorVAE: pythae's models around our encoder and decoder, trained on our batches.

pythae's own trainers are not used: they would see other batches in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pythae.models import VAE, BetaVAE, BetaVAEConfig, FactorVAE, FactorVAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.factor_vae.factor_vae_utils import FactorVAEDiscriminator
from pythae.models.nn import BaseDecoder, BaseEncoder
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from partedvae.divergences import kl_standard_normal
from partedvae.networks import make_decoder, make_encoder
from rivals.learned import Learned, Parted, most_telling_first, on_tensors, read_from_codes, shared_noise
from rivals.training import Step, train
from tasks import Task

Array = NDArray[Any]

BETA = 4.0  # Higgins et al. 2017
GAMMA = 35.0  # Kim and Mnih 2018, on dSprites
_DISCRIMINATOR_LR, _DISCRIMINATOR_BETAS = 1e-4, (0.5, 0.9)  # as there


class Encoder(BaseEncoder):  # type: ignore[misc]  # pythae has no types
    """Our encoder with a head for the posterior."""

    def __init__(self, task: Task, n_codes: int) -> None:
        super().__init__()
        hidden = task.config.hidden_dim
        self.features, self.head = make_encoder(task.shape, hidden), nn.Linear(hidden, 2 * n_codes)

    def forward(self, x: Tensor) -> ModelOutput:
        """Mean and log-variance under pythae's names."""
        mean, logvar = self.head(self.features(x)).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=logvar)


class Decoder(BaseDecoder):  # type: ignore[misc]  # pythae has no types
    """Our decoder, whose logits become the probabilities that pythae wants."""

    def __init__(self, task: Task, n_codes: int) -> None:
        super().__init__()
        self.net = make_decoder(task.shape, n_codes, task.config.hidden_dim)

    def forward(self, z: Tensor) -> ModelOutput:
        """Probabilities of the pixels."""
        return ModelOutput(reconstruction=self.net(z).sigmoid())


def vae(task: Task, seed: int) -> Learned:
    """Kingma and Welling 2014."""
    n_codes, settings = _settings(task)
    model = VAE(VAEConfig(**settings), Encoder(task, n_codes), Decoder(task, n_codes))
    return _trained(model, task, seed, lambda out: task.gamma_x * out.recon_loss + out.reg_loss)


def beta_vae(task: Task, seed: int) -> Learned:
    """Higgins et al. 2017."""
    n_codes, settings = _settings(task)
    model = BetaVAE(BetaVAEConfig(beta=BETA, **settings), Encoder(task, n_codes), Decoder(task, n_codes))
    return _trained(model, task, seed, lambda out: task.gamma_x * out.recon_loss + BETA * out.reg_loss)


def factor_vae(task: Task, seed: int) -> Learned:
    """Kim and Mnih 2018, with a discriminator as wide as our hidden layer: 1,000 units would take most of the time."""
    n_codes, settings = _settings(task)
    model = FactorVAE(FactorVAEConfig(gamma=GAMMA, **settings), Encoder(task, n_codes), Decoder(task, n_codes))
    model.discriminator = FactorVAEDiscriminator(n_codes, hidden_units=task.config.hidden_dim)
    codes = [*model.encoder.parameters(), *model.decoder.parameters()]
    judges = list(model.discriminator.parameters())
    main = Adam(codes, lr=task.config.lr)
    discriminating = Adam(judges, lr=_DISCRIMINATOR_LR, betas=_DISCRIMINATOR_BETAS)

    def step(given: Step) -> None:
        if len(given.x) < 2:  # it needs two halves
            return
        out = model({"data": given.x})
        # Pixels weigh as in every method; the terms of the codes are pythae's.
        loss = out.autoencoder_loss + (task.gamma_x - 1) * out.recon_loss
        main.zero_grad()
        discriminating.zero_grad()
        loss.backward(inputs=codes, retain_graph=True)
        out.discriminator_loss.backward(inputs=judges)
        main.step()
        discriminating.step()

    train(task, seed, step)
    return _learned(model, task)


def _settings(task: Task) -> tuple[int, dict[str, Any]]:
    """As many columns as u and z have together."""
    n_codes = task.config.u_dim + task.config.z_dim
    return n_codes, {"input_dim": task.shape, "latent_dim": n_codes, "reconstruction_loss": "bce"}


def _trained(model: Any, task: Task, seed: int, loss_of: Callable[[ModelOutput], Tensor]) -> Learned:
    optimizer = Adam(model.parameters(), lr=task.config.lr)

    def step(given: Step) -> None:
        optimizer.zero_grad()
        loss_of(model({"data": given.x})).backward()
        optimizer.step()

    train(task, seed, step)
    return _learned(model, task)


def _learned(model: Any, task: Task) -> Learned:
    """As many columns as u has elsewhere, those that tell the most of the class, count as u.

    They are chosen with all labels, which is a favour. Swaps are not asked for: most of the picture may come with u.
    """
    model.eval()

    def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
        out = model.encoder(x)
        return out.embedding, out.log_covariance

    means = on_tensors(lambda x: posterior(x)[0], task.x)
    order = most_telling_first(means, task.truth)
    u_columns, z_columns = order[: task.config.u_dim], order[task.config.u_dim :]
    back = np.argsort(order)

    def encode(x: Array) -> Parted:
        found = on_tensors(lambda part: posterior(part)[0], x)
        return Parted(found[:, u_columns], found[:, z_columns])

    def decode(u: Array, z: Array) -> Array:
        codes = np.concatenate([u, z], axis=1)[:, back]
        return on_tensors(lambda part: model.decoder(part).reconstruction[:, 0], codes)

    def z_kl(x: Array) -> Array:
        return on_tensors(lambda part: kl_standard_normal(*posterior(part))[:, z_columns.tolist()].sum(dim=1), x)

    def bound(x: Array) -> Array:
        def of(part: Tensor) -> Tensor:
            mean, logvar = posterior(part)
            nats = [
                F.binary_cross_entropy(
                    model.decoder(mean + (0.5 * logvar).exp() * noise).reconstruction, part, reduction="none"
                )
                for noise in shared_noise(mean.shape[1])
            ]
            likelihood = -torch.stack(nats).mean(dim=0).flatten(start_dim=1).sum(dim=1)
            return likelihood - kl_standard_normal(mean, logvar).sum(dim=1)

        return on_tensors(of, x)

    return Learned(
        proba=read_from_codes(encode, task), encode=encode, decode=decode, bound=bound, z_kl=z_kl, own_u=False
    )
