"""Networks with a discrete code for the class: JointVAE, which has no labels, and M2, which has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from partedvae.divergences import entropy_categorical, kl_standard_normal
from partedvae.model import TEMPERATURE, gumbel
from partedvae.networks import make_decoder, make_encoder
from rivals.learned import Learned, Parted, on_tensors, read_from_codes, shared_noise
from rivals.training import Step, train
from tasks import Task

Array = NDArray[Any]

# Published, for digits and for dSprites: nats of z, nats of c, weight; and the nats of PartedVAE's z. Where a task
# gives those less, in a shorter run, JointVAE gets less as well.
_DIGITS, _DSPRITES = (5.0, 5.0, 30.0, 7.0), (40.0, 1.1, 150.0, 30.0)
_SUPERVISION = 0.1  # α of Kingma et al. 2014, over the number of rows


class ClassAndStyle(nn.Module):
    """q(c|x), q(z|x) or q(z|x, c), and p(x|c, z), around our encoder and decoder.

    Args:
        task: sizes.
        z_knows_class: whether the posterior of z is given c.
    """

    def __init__(self, task: Task, *, z_knows_class: bool) -> None:
        super().__init__()
        config, n_classes = task.config, len(task.names)
        self.z_knows_class, n_z = z_knows_class, config.u_dim + config.z_dim
        self.features = make_encoder(task.shape, config.hidden_dim)
        self.class_head = nn.Linear(config.hidden_dim, n_classes)
        self.z_head = nn.Linear(config.hidden_dim + n_classes * z_knows_class, 2 * n_z)
        self.decoder = make_decoder(task.shape, n_classes + n_z, config.hidden_dim)

    def log_classes(self, h: Tensor) -> Tensor:
        """Ln q(c|x), (N, K)."""
        log_c: Tensor = self.class_head(h).log_softmax(dim=1)
        return log_c

    def style(self, h: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z for classes (N, K)."""
        mean, logvar = self.z_head(torch.cat([h, classes], dim=1) if self.z_knows_class else h).chunk(2, dim=1)
        return mean, logvar

    def logits(self, classes: Tensor, z: Tensor) -> Tensor:
        """Of the pixels."""
        logits: Tensor = self.decoder(torch.cat([classes, z], dim=1))
        return logits


def joint_vae(task: Task, seed: int) -> Learned:
    """Dupont 2018: continuous and discrete capacities that grow, here over half of the run."""
    net = ClassAndStyle(task, z_knows_class=False)
    z_most, c_most, weight, of_parted_vae = _DSPRITES if len(task.names) == 3 else _DIGITS
    z_most *= task.config.z_capacity / of_parted_vae
    c_most = min(c_most, math.log(len(task.names)))  # no more can be told

    def loss(given: Step) -> Tensor:
        h = net.features(given.x)
        log_c = net.log_classes(h)
        classes = _relaxed(log_c)
        mean, logvar = net.style(h, classes)
        z_kl = kl_standard_normal(mean, logvar).sum(dim=1).mean()
        c_kl = math.log(log_c.shape[1]) - entropy_categorical(log_c).mean()
        grown = min(1.0, 2 * given.progress)
        pixels = _nats(net.logits(classes, _drawn(mean, logvar)), given.x)
        gaps = (grown * z_most - z_kl).abs() + (grown * c_most - c_kl).abs()
        return task.gamma_x * pixels.mean() + weight * gaps

    _descend(net, task, seed, loss)
    encode = _encoder(net)
    return Learned(
        proba=read_from_codes(encode, task), encode=encode, decode=_decoder(net), z_kl=_z_kl(net), bound=_bound(net)
    )


def m2(task: Task, seed: int) -> Learned:
    """Kingma et al. 2014; of unlabelled rows the class is drawn (Gumbel-softmax), not summed out."""
    net = ClassAndStyle(task, z_knows_class=True)
    n_classes = len(task.names)

    def negative_bound(x: Tensor, h: Tensor, classes: Tensor) -> Tensor:
        mean, logvar = net.style(h, classes)
        pixels = _nats(net.logits(classes, _drawn(mean, logvar)), x)
        return task.gamma_x * pixels + kl_standard_normal(mean, logvar).sum(dim=1) + math.log(n_classes)

    def loss(given: Step) -> Tensor:
        h, h_labelled = net.features(given.x), net.features(given.x_labelled)
        log_c = net.log_classes(h)
        unlabelled = negative_bound(given.x, h, _relaxed(log_c)) - entropy_categorical(log_c)
        known = F.one_hot(given.labels, n_classes).float()
        labelled = negative_bound(given.x_labelled, h_labelled, known)
        cross_entropy = F.cross_entropy(net.class_head(h_labelled), given.labels)
        # The labelled rows are among the unlabelled ones as well: few, and so their share of the sum over all rows.
        share = len(task.labelled) / len(task.x)
        return unlabelled.mean() + share * labelled.mean() + _SUPERVISION * cross_entropy

    _descend(net, task, seed, loss)

    def sample(n: int, k: int, seed: int) -> Array:
        z = np.random.default_rng(seed).normal(size=(n, net.z_head.out_features // 2))
        return _decoder(net)(np.eye(n_classes)[np.full(n, k)], z)

    return Learned(
        proba=lambda x: on_tensors(lambda part: net.log_classes(net.features(part)).exp(), x),
        encode=_encoder(net), decode=_decoder(net), sample=sample, z_kl=_z_kl(net), bound=_bound(net),
    )  # fmt: skip


def _descend(net: nn.Module, task: Task, seed: int, loss: Callable[[Step], Tensor]) -> None:
    optimizer = Adam(net.parameters(), lr=task.config.lr)

    def step(given: Step) -> None:
        optimizer.zero_grad()
        loss(given).backward()
        optimizer.step()

    train(task, seed, step)
    net.eval()


def _relaxed(log_c: Tensor) -> Tensor:
    return ((log_c + gumbel(log_c, torch.default_generator)) / TEMPERATURE).softmax(dim=1)


def _drawn(mean: Tensor, logvar: Tensor) -> Tensor:
    return mean + (0.5 * logvar).exp() * torch.randn_like(mean)


def _nats(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(start_dim=1).sum(dim=1)


def _modal(log_c: Tensor) -> Tensor:
    return F.one_hot(log_c.argmax(dim=1), log_c.shape[1]).float()


def _posterior(net: ClassAndStyle, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    h = net.features(x)
    log_c = net.log_classes(h)
    return log_c, *net.style(h, _modal(log_c))


def _encoder(net: ClassAndStyle) -> Callable[[Array], Parted]:
    """Class probabilities are u."""

    def encode(x: Array) -> Parted:
        log_c_and_mean = on_tensors(lambda part: torch.cat(_posterior(net, part)[:2], dim=1), x)
        n_classes = net.class_head.out_features
        return Parted(np.exp(log_c_and_mean[:, :n_classes]), log_c_and_mean[:, n_classes:])

    return encode


def _decoder(net: ClassAndStyle) -> Callable[[Array, Array], Array]:
    """Of the most probable class."""
    return lambda u, z: on_tensors(lambda c, style: net.logits(_modal(c), style)[:, 0].sigmoid(), u, z)


def _z_kl(net: ClassAndStyle) -> Callable[[Array], Array]:
    return lambda x: on_tensors(lambda part: kl_standard_normal(*_posterior(net, part)[1:]).sum(dim=1), x)


def _bound(net: ClassAndStyle) -> Callable[[Array], Array]:
    """Over all classes, each by its probability."""

    def of(x: Tensor) -> Tensor:
        h = net.features(x)
        log_c = net.log_classes(h)
        total = entropy_categorical(log_c) - math.log(log_c.shape[1])  # − KL(q(c|x) ‖ uniform)
        for k in range(log_c.shape[1]):
            classes = F.one_hot(torch.full((len(x),), k), log_c.shape[1]).float()
            mean, logvar = net.style(h, classes)
            nats = [
                _nats(net.logits(classes, mean + (0.5 * logvar).exp() * noise), x)
                for noise in shared_noise(mean.shape[1])
            ]
            bound = -torch.stack(nats).mean(dim=0) - kl_standard_normal(mean, logvar).sum(dim=1)
            total = total + log_c[:, k].exp() * bound
        return total

    return lambda x: on_tensors(of, x)
