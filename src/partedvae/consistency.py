"""What many observations without a label teach the class predictor: blends of two that it should see as a blend."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from partedvae import processes
from partedvae.divergences import sureness
from partedvae.partition import Partition

_POWER = 2  # of a guessed probability: a guess should be surer than the predictor, or nothing moves
_KEPT = 0.99  # of the mean guess so far, at each batch
_ALIGNMENT = 0.5  # halfway: classes may be as rare as the labels do not say
_LEAST = 1e-12


class Guesses(nn.Module):
    """Classes expected of observations without a label: what the predictor says, aligned to the prior, then sharpened.

    t ∝ (q(c | x) · (π / q̄)^½)²,  q̄ a running mean of q(c | x); they add up to (1 − H(q(c | x)) / ln K)²

    A guess counts by how sure the predictor is, or it would be taught its own chance where it knows little yet.
    Without alignment, classes that are easy take over those that are like them; with all of it, classes that are not as
    frequent as π says are forced to be.

    Args:
        log_class_prior: (ΣK,), ln π.
        partition: the layout of classes.

    Source: Berthelot et al. 2019 (MixMatch), sharpening; 2020 (ReMixMatch), alignment.

    >>> guess = Guesses(torch.tensor([0.5, 0.5]).log(), Partition((2,), u_dim=1, z_dim=0))
    >>> targets = guess(torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]).log())
    >>> targets[:2] / targets[:2].sum(dim=1, keepdim=True)
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]])
    >>> targets.sum(dim=1)
    tensor([0.0356, 0.0356, 0.0000])
    """

    log_class_prior: Tensor
    seen: Tensor

    def __init__(self, log_class_prior: Tensor, partition: Partition) -> None:
        super().__init__()
        self.partition = partition
        self.register_buffer("log_class_prior", log_class_prior, persistent=False)
        self.register_buffer("seen", log_class_prior.exp())

    def forward(self, log_c: Tensor) -> Tensor:
        """Targets (N, ΣK) of what the predictor says, log-probabilities (N, ΣK), which count in q̄ from now on."""
        mean = processes.log_mean(log_c.logsumexp(dim=0) - math.log(len(log_c))).exp()
        self.seen.copy_(_KEPT * self.seen + (1 - _KEPT) * mean)
        lifted = log_c + _ALIGNMENT * (self.log_class_prior - self.seen.clamp(min=_LEAST).log())
        pairs = zip(*map(self.partition.by_attribute, (lifted, log_c)), strict=True)
        return torch.cat([sureness(own)[:, None] * (_POWER * part).softmax(dim=1) for part, own in pairs], dim=1)


def disagreement(log_c: Tensor, guesses: Tensor) -> Tensor:
    """− mean Σ_a Σ_k t_k ln q(c_a = k | x), in nats: what is said of observations (N, ΣK), guesses t (N, ΣK) expected.

    >>> disagreement(torch.full((2, 2), 0.5).log(), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor(0.3466)
    """
    return -(guesses * log_c).sum(dim=1).mean()


def blended(x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each observation with a share, at most half, of another one, and targets (N, ΣK) in the same shares.

    Source: Zhang et al. 2018 (mixup), with shares drawn evenly.

    >>> x, targets = blended(torch.eye(2), torch.eye(2), torch.Generator().manual_seed(0))
    >>> bool((x == targets).all()), bool((x.diagonal() >= 0.5).all())
    (True, True)
    """
    own = torch.empty(len(x), device=x.device).uniform_(0.5, 1, generator=generator)
    other = torch.randperm(len(x), generator=generator, device=x.device)

    def with_others(rows: Tensor) -> Tensor:
        share = own.to(rows.dtype).reshape(-1, *[1] * (rows.ndim - 1))
        return share * rows + (1 - share) * rows[other]

    return with_others(x), with_others(targets)
