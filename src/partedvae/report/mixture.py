"""The components of the prior of u: where they lie, ways between them and around them, and their shadow on a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from partedvae.estimator import PartedVAE

Array = NDArray[Any]

STEPS = 9
SIGMAS = 2.0  # standard deviations of a component that a traversal goes to either side


def components(model: PartedVAE, attribute: int) -> tuple[Array, Array]:
    """Means and variances of the components of an attribute, one a class: each (K, d_u)."""
    prior = model.net_.prior
    mean, variance = (
        model.net_.partition.by_attribute(part.detach().cpu(), dim=0)[attribute].numpy()
        for part in (prior.mean, prior.logvar.exp())
    )
    return mean, variance


def ways(model: PartedVAE, codes: Array, attribute: int, start: int, ends: list[int]) -> Array:
    """Joined codes (E, V, D) with an attribute's block of u led from one component's mean to those of others.

    Args:
        codes: (D,), which all else is taken from.
        start, ends: classes of the attribute.
    """
    mean, _ = components(model, attribute)
    share = np.linspace(0, 1, STEPS)[:, None]
    led = np.tile(codes, (len(ends), STEPS, 1))
    size = model.net_.partition.u_dim
    for place, end in enumerate(ends):
        led[place, :, attribute * size : (attribute + 1) * size] = (1 - share) * mean[start] + share * mean[end]
    return led


def around(model: PartedVAE, dim: int, classes: Array) -> Array:
    """Values of a dimension of u from 2 sigma below to 2 above the mean of its component.

    Args:
        classes: (A,), which component each attribute's block of u belongs to.
    """
    attribute, within = divmod(dim, model.net_.partition.u_dim)
    mean, variance = components(model, attribute)
    k = classes[attribute]
    values: Array = mean[k, within] + np.linspace(-SIGMAS, SIGMAS, STEPS) * np.sqrt(variance[k, within])
    return values


@dataclass(frozen=True)
class Plane:
    """The two directions in which codes and the means of components vary most.

    Attributes:
        origin: (d_u,).
        directions: P, (2, d_u), rows of length 1 and at right angles.
        share: of the variance of the codes and means, how much lies in the plane.
    """

    origin: Array
    directions: Array
    share: float

    @classmethod
    def of(cls, codes: Array, means: Array) -> Self:
        """The plane of codes (N, d_u) and of the means of components (K, d_u), by principal components."""
        found = PCA(2, svd_solver="full").fit(np.concatenate([codes, means]).astype(np.float64))
        return cls(found.mean_, found.components_, float(found.explained_variance_ratio_.sum()))

    def points(self, codes: Array) -> Array:
        """Where codes (N, d_u) lie in the plane: (N, 2)."""
        flat: Array = (codes - self.origin) @ self.directions.T
        return flat

    def covariances(self, variances: Array) -> Array:
        """Covariances in the plane of Gaussians with variances (K, d_u): P diag(σ²) Pᵀ, (K, 2, 2)."""
        projected: Array = np.einsum("id,kd,jd->kij", self.directions, variances, self.directions)
        return projected
