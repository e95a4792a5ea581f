"""How much z tells of the class: a kernel's measure of it, and a term of the loss that keeps it small."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from partedvae.partition import Partition
from partedvae.processes import joined, own_first

_BANDWIDTH = 0.1  # h = 0.1 · d_z: neighbours, not halves of the code, must be of all classes
_LEAST_SCALE = 1e-3


def dependence(z: Tensor, classes: Tensor, others: Tensor, other_classes: Tensor) -> Tensor:
    """How much denser observations of the same class lie around each z than those of any class; 0 if z knows no class.

    mean_i Σ_j (w_ij − w_i· v_ij) k(z_i, z_j) / E k,  k(a, b) = exp(−|a − b|² / 2h)

    w_ij is the share of j in the classes of i, v_ij the one that j has anyhow, and E k what two draws of N(0, I) have.
    A column of z counts in units of its own spread, so that z cannot hide a class by being small.

    It is the Hilbert–Schmidt independence criterion of z and c with the kernel of equal classes, each class weighing
    as its rows do, but for a factor: gradients go through ``z`` alone.

    Args:
        z: (N, d_z).
        classes: (N, ΣK), class probabilities; those of all attributes count alike.
        others: (M, d_z), codes to compare with, the first N of which are ``z``.
        other_classes: (M, ΣK), theirs; a row of zeros counts as not there.

    Source: Gretton et al. 2005.

    >>> z = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    >>> halves = torch.eye(2).repeat_interleave(200, dim=0)
    >>> [round(float(dependence(code, halves, code, halves)), 1) for code in (z, z + 3 * halves)]
    [-0.0, 1.4]
    """
    there = (other_classes.sum(dim=1) > 0).to(z.dtype)
    attributes = classes.sum(dim=1, keepdim=True)
    # Of an observation's class without itself; a class of which there is no other is compared with nothing.
    own_class = classes / (other_classes.sum(dim=0) - classes).clamp(min=1) / attributes
    same = (own_class @ other_classes.T).fill_diagonal_(0.0)
    anyhow = there.repeat(len(z), 1).fill_diagonal_(0.0)
    anyhow = anyhow / anyhow.sum(dim=1, keepdim=True).clamp(min=1)
    excess = same - same.sum(dim=1, keepdim=True) * anyhow
    spread = _spread(others, there)
    width = _BANDWIDTH * z.shape[1]
    apart = torch.cdist(z / spread, others / spread, compute_mode="donot_use_mm_for_euclid_dist")
    kernel = (-apart.square() / (2 * width)).exp() * (1 + 2 / width) ** (z.shape[1] / 2)
    told: Tensor = (excess * kernel).sum(dim=1).mean()
    return told


def _spread(codes: Tensor, there: Tensor) -> Tensor:
    weight = there[:, None] / there.sum().clamp(min=1)
    mean = (weight * codes).sum(dim=0)
    return (weight * (codes - mean).square()).sum(dim=0).sqrt().clamp(min=_LEAST_SCALE)


class ClassIndependence(nn.Module):
    """``dependence`` of a batch, seen with the codes of the last few batches: a batch alone has few of each class.

    Several processes see each other's codes, and remember the same.

    Args:
        partition: the layout of codes and classes.
        n_remembered: how many codes of earlier batches are kept. Old ones are of an encoder that is no more.
    """

    codes: Tensor
    classes: Tensor

    def __init__(self, partition: Partition, n_remembered: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(n_remembered, partition.z_dim))
        self.register_buffer("classes", torch.zeros(n_remembered, partition.n_classes))

    def forward(self, z: Tensor, classes: Tensor) -> Tensor:
        """The dependence of z (N, d_z) on classes (N, ΣK), which are taken as they are; in training both are kept."""
        z, classes = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in (z, classes.detach()))
        if not self.training:  # all processes validate on the same observations
            return dependence(z, classes, torch.cat([z.detach(), self.codes]), torch.cat([classes, self.classes]))
        codes = torch.cat([own_first(joined(z.detach())), self.codes])
        known = torch.cat([own_first(joined(classes)), self.classes])
        self.codes.copy_(codes[: len(self.codes)])  # where they are, so that a compiled step finds them
        self.classes.copy_(known[: len(self.classes)])
        return dependence(z, classes, codes, known)
