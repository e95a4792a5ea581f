"""Temperature scaling: stated probabilities are made to be kept, by labels that training did not see."""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from torch import Tensor, nn

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


def scale_classes(head: nn.Linear, partition: Partition, log_c: Tensor, targets: Tensor) -> None:
    """Divide the logits of each attribute by the temperature that suits some rows.

    The head is linear, so its weights take the temperature up: nothing else has to know of it, and the most probable
    class of every observation stays.

    Args:
        head: from h to the logits of all classes.
        log_c: (N, ΣK), what it says of the rows.
        targets: (N, ΣK), see :func:`temperature`; an attribute of which no row tells keeps its probabilities.
    """
    columns = (log_c, targets, head.weight.detach().T, head.bias.detach()[None])
    for said, true, weight, bias in zip(*map(partition.by_attribute, columns), strict=True):
        if true.any():
            found = temperature(said, true)
            weight.div_(found)
            bias.div_(found)
