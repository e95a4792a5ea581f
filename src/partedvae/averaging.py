"""An average of the weights of the last steps: what is left of a step's noise is not the model's business."""

from __future__ import annotations

from copy import deepcopy

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from partedvae.model import PartedModel

_OF_A_RUN = 10  # at most a tenth of the steps so far, or a short run would be an average with what it began as


class Average(nn.Module):
    """A copy of a model that follows it: each weight is a running mean of the model's.

    θ̄ ← θ̄ + (θ − θ̄) / m,  m = min(``n_steps``, t / 10), but at least 1, after t steps

    Training does not see it. With rates that do not fall, the last weights are wherever the last batches drove them.

    Args:
        model: whose weights are averaged.
        n_steps: how many steps the mean remembers, at most.

    Source: Polyak and Juditsky 1992; with a mean that forgets, Izmailov et al. 2018 and what followed.
    """

    def __init__(self, model: PartedModel, n_steps: int) -> None:
        super().__init__()
        self.model = deepcopy(model).requires_grad_(requires_grad=False)
        self.n_steps = n_steps

    def follow(self, model: PartedModel, step: int) -> None:
        """Take in the weights that ``model`` has after so many steps."""
        remembered = max(1.0, min(self.n_steps, step / _OF_A_RUN))
        move = get_ema_multi_avg_fn(1 - 1 / remembered)
        move(list(self.model.parameters()), list(model.parameters()), step)
