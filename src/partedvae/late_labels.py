"""Labels that join late: until training learns from them, they tell how sure the predictor should be."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from partedvae.batches import Late, Observations, known_rows
from partedvae.held_out import as_classes, but_for_the_first, ranks
from partedvae.model import PartedModel
from partedvae.temperature import scale_classes, temperatures

_FIRST = 5  # labels of a class that teach from the beginning: there, each one more is worth more than a temperature
_ENOUGH = 1_000  # labels in all, for a temperature


def with_late_labels(given: Observations, fraction: float, max_epochs: int, seed: int) -> Observations:
    """Observations of which a share of the labels joins late: of each class of the first attribute, beyond five.

    Each class of any other attribute also has five labels, or all it has, from the beginning. Where labels are few,
    none joins late.

    Args:
        given: observations and all labels.
        fraction: of the labels of a class beyond its first five; in all at most a thousand.
        max_epochs: of the run, half of which pass before; in a run of one epoch none joins late.
        seed: of the choice.
    """
    labelled = known_rows(given.labels).nonzero()[:, 0]
    if fraction == 0 or not len(labelled) or max_epochs < 2:
        return given
    order = labelled[torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed))]
    classes = as_classes(given.labels[order])[:, 0] + 1  # 0: another attribute has a label, the first has none
    beyond = (classes.bincount() - _FIRST).clamp(min=0).double()
    late = torch.zeros(len(given.x), dtype=torch.bool)
    late[order[ranks(classes) < (fraction * beyond).round()[classes]][:_ENOUGH]] = True
    rows = but_for_the_first(late, given.labels, _FIRST).nonzero()[:, 0]
    if not len(rows):
        return given
    return Observations(given.x, given.labels, Late(rows, max_epochs // 2))


class Waiting(nn.Module):
    """One temperature for each attribute, found by labels that training has not seen yet.

    They are a buffer, so that a checkpoint has them: once the labels have taught, they can no longer tell. Zeros until
    they are found.

    Args:
        labelled: the observations whose labels join late.
        joining: the epoch at which they do.
        n_attributes: of the labels.
    """

    temperatures: Tensor

    def __init__(self, labelled: Observations, joining: int, n_attributes: int) -> None:
        super().__init__()
        self.labelled, self.joining = labelled, joining
        self.register_buffer("temperatures", torch.zeros(n_attributes))

    def end(self, model: PartedModel) -> None:
        """Find the temperatures: from here on the labels may teach."""
        self.temperatures.copy_(temperatures(model, self.labelled))

    def calibrate(self, model: PartedModel) -> None:
        """Divide by the temperatures; weights from before the labels joined find theirs now."""
        if not self.temperatures.all():
            self.end(model)
        scale_classes(model.class_head, model.partition, self.temperatures)
