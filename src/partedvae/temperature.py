"""Temperature scaling: stated probabilities are made to be kept, by labels that training did not see."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from partedvae.batches import Observations
from partedvae.inference import infer_classes
from partedvae.model import PartedModel
from partedvae.objective import targets_of
from partedvae.partition import Partition

_LARGEST = 100.0  # labels that are all wrong ask for infinity
_BELIEVED = 20  # rows in which what the predictor states comes true; labels are often fewer


def temperature(log_c: Tensor, targets: Tensor) -> float:
    """T at which softmax(log_c / T) gives the targets most probability; above 1 if the predictor is overconfident.

    A few labels say little of how often the predictor is right: if all are predicted right, they would ask for T = 0,
    and if one is not, for far too large a T. So beside the N rows there count twenty like them of which just what is
    stated comes true; they ask for T = 1.

    Args:
        log_c: (N, K), log-probabilities.
        targets: (N, K), the right class of each row, one-hot, or how probable each class is; a row of zeros says
            nothing.

    Source: Guo et al. 2017.

    >>> import torch
    >>> log_c = torch.tensor([[0.9, 0.1]] * 40_000).log()  # sure to 0.9, right in 0.75 of cases: 0.9 / 0.1 is 3 · 3
    >>> round(temperature(log_c, torch.tensor([[1, 0], [1, 0], [1, 0], [0, 1]] * 10_000)), 2)
    2.0
    """
    log_c, targets = log_c.double(), targets.double()
    told = targets.sum(dim=1, keepdim=True)
    targets = targets + _BELIEVED / told.sum() * told * log_c.exp()

    def surprise(log_temperature: float) -> float:
        return -float((targets * (log_c / math.exp(log_temperature)).log_softmax(dim=1)).sum())

    limit = math.log(_LARGEST)
    return math.exp(minimize_scalar(surprise, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6}).x)


def temperatures(model: PartedModel, labelled: Observations) -> Tensor:
    """The temperature of each attribute, (A,), by observations with labels; 1 for one of which there is no label."""
    split = model.partition.by_attribute
    log_c = torch.cat(list(infer_classes(model, labelled.x)))
    attributes = zip(split(log_c), split(targets_of(labelled.labels, model.partition)), strict=True)
    return torch.tensor([temperature(said, true) if true.any() else 1.0 for said, true in attributes])


@torch.no_grad()
def scale_classes(head: nn.Linear, partition: Partition, temperatures: Tensor) -> None:
    """Divide the logits of each attribute by its temperature, (A,).

    The head is linear, so its weights take the temperature up: nothing else has to know of it, and the most probable
    class of every observation stays.
    """
    each = temperatures.to(head.bias)[list(partition.attribute_of_class)]
    head.weight.div_(each[:, None])
    head.bias.div_(each)
