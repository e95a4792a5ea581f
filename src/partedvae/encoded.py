"""Observations as codes, and codes as observations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import check_array

from partedvae.divergences import kl_standard_normal
from partedvae.fitted import Fitted
from partedvae.inference import require_finite
from partedvae.observed import Observed
from partedvae.seeds import RandomState, seed_of

Array = NDArray[Any]

_AT_ONCE = 1024


class Codes(NamedTuple):
    """What an observation is and how it looks.

    Attributes:
        c: class probabilities (N, K); a list of them, one an attribute, if there are several.
        u: (N, A · d_u), posterior means of the class-related code.
        z: (N, d_z), posterior means of the class-independent code.
    """

    c: Array | list[Array]
    u: Array
    z: Array


# TransformerMixin lets set_output act on the transform that a class under it defines, not on one that it inherits.
class Encodes(Fitted, TransformerMixin):  # type: ignore[misc]  # scikit-learn has no types
    """The transformer: what an observation is and how it looks, and back."""

    def encode(self, X: Observed) -> Codes:
        """Class probabilities and the posterior means of u and z; deterministic."""
        posterior = self._infer(X)
        return Codes(self._probabilities(posterior.log_c), posterior.u_mean.numpy(), posterior.z_mean.numpy())

    def draw_codes(self, X: Observed, random_state: RandomState = None) -> Codes:
        """Class probabilities, and u and z drawn from their posteriors given the most probable class."""
        posterior = self._infer(X)
        noise = torch.Generator().manual_seed(seed_of(random_state))
        drawn = posterior.sample(noise).numpy()
        u_size = self.net_.partition.u_size
        return Codes(self._probabilities(posterior.log_c), drawn[:, :u_size], drawn[:, u_size:])

    def z_kl(self, X: Observed) -> Array:
        """KL(q(z_i | x) ‖ N(0, 1)) of each observation and dimension, in nats: (N, d_z)."""
        posterior = self._infer(X)
        kl = kl_standard_normal(posterior.z_mean, posterior.z_logvar)
        require_finite(kl)
        return kl.numpy()

    def u_kl(self, X: Observed) -> Array:
        """Σ_c q(c_a | x) KL(q(u_a | x) ‖ p(u_a | c_a)) of each observation and attribute a, in nats: (N, A).

        q(u_a | x) is what ``encode`` gives the mean of.
        """
        net = self._fitted_net()
        posterior = self._infer(X)
        device = net.class_head.weight.device
        parts = zip(posterior.u_mean.split(_AT_ONCE), posterior.u_logvar.split(_AT_ONCE), strict=True)
        with torch.inference_mode():  # all classes of some rows: of all rows they would be very many numbers
            found = [net.prior.divergence(mean.to(device), logvar.to(device)).cpu() for mean, logvar in parts]
        weighted = net.partition.by_attribute(posterior.log_c.exp() * torch.cat(found))
        kl = torch.stack([part.sum(dim=1) for part in weighted], dim=1)
        require_finite(kl)
        return kl.numpy()

    def transform(self, X: Observed) -> Array:
        """Posterior means (N, D_u + D_z), columns u then z."""
        return self._infer(X).mean.numpy()

    def inverse_transform(self, X: ArrayLike) -> Array:
        """Observations of codes (N, D_u + D_z), columns u then z."""
        size = self._fitted_net().partition.size
        codes = check_array(X, dtype=np.float32)
        if codes.shape[1] != size:
            raise ValueError(f"The codes have {codes.shape[1]} columns; the model has {size}, of u then of z.")
        return self._decode(torch.tensor(codes))

    def decode(self, u: ArrayLike, z: ArrayLike) -> Array:
        """Observations of codes u (N, A · d_u) and z (N, d_z), in the shape and range of those that fit saw.

        Images that were uint8 come as floats in [0, 1].
        """
        partition = self._fitted_net().partition
        parts = [np.asarray(part, dtype=np.float32) for part in (u, z)]
        for name, part, size in zip("uz", parts, (partition.u_size, partition.z_dim), strict=True):
            if part.ndim != 2 or part.shape[1] != size:
                raise ValueError(f"{name} has shape {part.shape}; it should be (N, {size}).")
        if len(parts[0]) != len(parts[1]):
            raise ValueError(f"u has {len(parts[0])} rows and z has {len(parts[1])}: they should have as many.")
        return self.inverse_transform(np.concatenate(parts, axis=1))

    def reconstruct(self, X: Observed) -> Array:
        """Observations as the model sees them again: decoded from the posterior means."""
        return self._decode(self._infer(X).mean)

    def get_feature_names_out(self, input_features: object = None) -> Array:
        """Names of the columns of ``transform``: u0, u1 and on, then z0, z1 and on."""
        partition = self._fitted_net().partition
        names = [f"u{i}" for i in range(partition.u_size)] + [f"z{i}" for i in range(partition.z_dim)]
        return np.array(names, dtype=object)
