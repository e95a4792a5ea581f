"""After training: the prior is brought to where the codes of the observations are."""

from __future__ import annotations

import torch
from torch import Tensor

from partedvae.data.subsets import random_rows
from partedvae.divergences import sureness
from partedvae.inference import infer
from partedvae.model import PartedModel
from partedvae.networks import first_layer
from partedvae.ondemand import Raw, is_read_in_order, take_rows

_ROWS = 50_000  # of more, a random choice: moments need no more
_FEWEST = 10  # rows of a class below which its component stays as it was learned
_LEAST_WEIGHT = 1e-12
_LEAST_SCALE = 1e-3  # a column of z that never moves keeps its unit


def fit_prior(model: PartedModel, raw: Raw, at_once: int) -> None:
    """Fit the prior to the aggregated posterior, in closed form.

    p(u | c = k) gets the mean and the variance that u has over the observations whose most probable class is k, each
    counted by how sure that is: what is called k for want of better would make samples of k look like others. z is
    given new units, in which its mean over the observations is 0 and its variance 1, as p(z) says: the head of z and
    the first layer of the decoder change together, so that what is encoded and decoded comes out as before.

    The objective holds the KLs at their capacities and does not ask that the prior be where the codes are: samples
    miss what the decoder knows, until this is done.

    Args:
        model: trained; its weights change.
        raw: the observations that it was trained on.
        at_once: how many of them are in memory at a time, if they are not there all.

    Source: the aggregated posterior is that of Hoffman and Johnson 2016 and Tomczak and Welling 2018.
    """
    chosen = raw if is_read_in_order(raw) else take_rows(raw, torch.from_numpy(random_rows(len(raw), _ROWS)))
    partition = model.partition
    u, z = Moments(partition.n_classes, partition.u_dim), Moments(1, partition.z_dim)
    with torch.inference_mode():
        for part in chosen.split(at_once):
            posterior = infer(model, part)
            sure = [sureness(own)[:, None].expand_as(own) for own in partition.by_attribute(posterior.log_c)]
            classes = model.modal_classes(posterior.log_c) * torch.cat(sure, dim=1)
            blocks = partition.blocks(posterior.u_mean), partition.blocks(posterior.u_logvar)
            own = [block[:, partition.attribute_of_class] for block in blocks]
            u.add(classes, *own)
            z.add(torch.ones(len(part), 1), posterior.z_mean[:, None], posterior.z_logvar[:, None])
    with torch.no_grad():
        model.prior.move(u.mean, u.variance, u.n_rows >= _FEWEST)
        _give_units(model, z.mean[0], z.variance[0].sqrt())


class Moments:
    """Sums, over posteriors, of what mean and variance of a mixture of them are made of, for each of K groups."""

    def __init__(self, n_groups: int, size: int) -> None:
        self._weight = torch.zeros(n_groups, dtype=torch.float64)
        self._squared = torch.zeros(n_groups, dtype=torch.float64)
        self._first = torch.zeros(n_groups, size, dtype=torch.float64)
        self._second = torch.zeros(n_groups, size, dtype=torch.float64)

    def add(self, groups: Tensor, mean: Tensor, logvar: Tensor) -> None:
        """Posteriors with means and log-variances (N, K or 1, D), which belong to groups by weights (N, K)."""
        weights, mean, logvar = groups.double(), mean.double(), logvar.double()
        self._weight += weights.sum(dim=0)
        self._squared += weights.square().sum(dim=0)
        self._first += torch.einsum("nk,nkd->kd", weights, mean)
        self._second += torch.einsum("nk,nkd->kd", weights, mean.square() + logvar.exp())

    @property
    def n_rows(self) -> Tensor:
        """(K,): how many rows of equal weights would say as much of a group (Kish 1965)."""
        return self._weight.square() / self._squared.clamp(min=_LEAST_WEIGHT**2)

    @property
    def mean(self) -> Tensor:
        """(K, D); 0 for a group of no weight."""
        return self._first / self._weight.clamp(min=_LEAST_WEIGHT)[:, None]

    @property
    def variance(self) -> Tensor:
        """(K, D)."""
        return (self._second / self._weight.clamp(min=_LEAST_WEIGHT)[:, None] - self.mean.square()).clamp(min=0)


def _give_units(model: PartedModel, mean: Tensor, scale: Tensor) -> None:
    """Let z become (z − mean) / scale in the encoder's head, and take it back in the decoder's first layer."""
    if model.z_head is None:
        return
    scale = torch.where(scale < _LEAST_SCALE, 1.0, scale)
    head, first = model.z_head, first_layer(model.decoder)
    of_mean, of_logvar = slice(None, len(mean)), slice(len(mean), None)
    device = head.weight.device
    mean, scale = mean.to(device), scale.to(device)
    head.weight[of_mean] = (head.weight[of_mean] / scale[:, None]).float()
    head.bias[of_mean] = ((head.bias[of_mean] - mean) / scale).float()
    head.bias[of_logvar] -= (2 * scale.log()).float()
    columns = first.weight[:, model.partition.u_size :].double()
    first.bias.add_((columns @ mean).float())
    first.weight[:, model.partition.u_size :] = (columns * scale).float()
