"""Class attention: the class chooses which hidden features may speak about u."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from partedvae.partition import Partition


class ClassAttention(nn.Module):
    """Masks over the hidden features, one an attribute, from that attribute's class alone.

    m_a = sigmoid(s · (W_a ĉ_a + b_a)) ∈ (0, 1)^H

    Every attribute has weights of its own, so no mask can see another attribute's class.

    Args:
        partition: the layout of the classes.
        hidden_dim: H.

    Source: Hajimiri et al. 2021.

    >>> attention = ClassAttention(Partition((4, 3), u_dim=2, z_dim=5), hidden_dim=16)
    >>> attention(torch.rand(8, 7), sharpness=8.0).shape
    torch.Size([8, 2, 16])
    """

    def __init__(self, partition: Partition, hidden_dim: int) -> None:
        super().__init__()
        self.partition = partition
        bound = 1 / math.sqrt(partition.n_classes)
        self.weight = nn.Parameter(torch.empty(partition.n_classes, hidden_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(partition.n_attributes, hidden_dim).uniform_(-bound, bound))

    def forward(self, classes: Tensor, sharpness: float | Tensor) -> Tensor:
        """Masks (N, A, H) for class weights (N, ΣK), one-hot or relaxed."""
        split = self.partition.by_attribute
        logits = [c @ weight for c, weight in zip(split(classes), split(self.weight, dim=0), strict=True)]
        return torch.sigmoid(sharpness * (torch.stack(logits, dim=1) + self.bias))


class OpenAttention(nn.Module):
    """No attention: every hidden feature may speak about u, whatever the class.

    >>> OpenAttention(Partition((4, 3), u_dim=2, z_dim=5))(torch.rand(8, 7), sharpness=8.0).shape
    torch.Size([8, 2, 1])
    """

    def __init__(self, partition: Partition) -> None:
        super().__init__()
        self.n_attributes = partition.n_attributes

    def forward(self, classes: Tensor, sharpness: float | Tensor) -> Tensor:
        """Ones (N, A, 1), as wide as any H."""
        return classes.new_ones(len(classes), self.n_attributes, 1)


class AttendedLinear(nn.Module):
    """One linear head an attribute on that attribute's masked hidden features: (N, A, H) → (N, A · d_u).

    Source: Hajimiri et al. 2021.

    >>> AttendedLinear(Partition((4, 3), u_dim=2, z_dim=5), hidden_dim=16)(torch.rand(8, 2, 16)).shape
    torch.Size([8, 4])
    """

    def __init__(self, partition: Partition, hidden_dim: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden_dim)
        shape = (partition.n_attributes, hidden_dim, partition.u_dim)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(partition.u_size).uniform_(-bound, bound))

    def forward(self, attended: Tensor) -> Tensor:
        """The blocks of u side by side."""
        blocks = torch.bmm(attended.transpose(0, 1), self.weight)  # (A, N, d_u); less to do than in an einsum
        return blocks.transpose(0, 1).flatten(start_dim=1) + self.bias
