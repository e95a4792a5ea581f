"""Which columns belong to what: every slice of class probabilities and of codes is taken here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Partition:
    """The layout of c, u and z.

    Class probabilities of all attributes stand side by side in one tensor of ΣK columns, attribute by attribute. The
    class-related code u has one block of ``u_dim`` columns an attribute. Joined codes are columns of u, then of z.

    Args:
        class_sizes: K of each attribute.
        u_dim: columns of u for one attribute, d_u.
        z_dim: columns of z, d_z; 0 for a model without a class-independent code.

    >>> layout = Partition(class_sizes=(4, 3), u_dim=2, z_dim=5)
    >>> layout.n_attributes, layout.n_classes, layout.u_size, layout.size
    (2, 7, 4, 9)
    >>> layout.attribute_of_class
    (0, 0, 0, 0, 1, 1, 1)
    """

    class_sizes: tuple[int, ...]
    u_dim: int
    z_dim: int

    @property
    def n_attributes(self) -> int:
        """A, the number of categorical variables."""
        return len(self.class_sizes)

    @property
    def n_classes(self) -> int:
        """ΣK, the classes of all attributes together."""
        return sum(self.class_sizes)

    @property
    def u_size(self) -> int:
        """D_u = A · d_u."""
        return self.n_attributes * self.u_dim

    @property
    def size(self) -> int:
        """D_u + D_z, the columns of the joined codes."""
        return self.u_size + self.z_dim

    @property
    def attribute_of_class(self) -> tuple[int, ...]:
        """The attribute that each of the ΣK class columns belongs to."""
        return tuple(a for a, size in enumerate(self.class_sizes) for _ in range(size))

    @property
    def first_class(self) -> tuple[int, ...]:
        """The column at which the classes of each attribute begin."""
        return tuple(sum(self.class_sizes[:a]) for a in range(self.n_attributes))

    def by_attribute(self, classes: Tensor, dim: int = -1) -> tuple[Tensor, ...]:
        """Split a tensor with ΣK entries along ``dim`` into one tensor of K_a entries an attribute."""
        parts: tuple[Tensor, ...] = classes.split(self.class_sizes, dim=dim)
        return parts

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Log-probabilities (N, ΣK) of logits: those of each attribute add up to one."""
        return torch.cat([part.log_softmax(dim=-1) for part in self.by_attribute(logits)], dim=-1)

    def blocks(self, u: Tensor) -> Tensor:
        """U of shape (N, A · d_u) as (N, A, d_u)."""
        blocks: Tensor = u.unflatten(-1, (self.n_attributes, self.u_dim))
        return blocks

    def split(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Joined codes (N, D_u + D_z) as u (N, D_u) and z (N, D_z)."""
        u, z = codes.split((self.u_size, self.z_dim), dim=-1)
        return u, z
