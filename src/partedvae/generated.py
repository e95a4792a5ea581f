"""Observations that were never seen: swapped, drawn from the prior, of another class, moved along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from partedvae import labels
from partedvae.fitted import Fitted
from partedvae.generation import counterfactual_codes, prior_codes, traversal_codes, traversal_values
from partedvae.inference import decode
from partedvae.observed import Observed
from partedvae.seeds import RandomState, seed_of

Array = NDArray[Any]
Label = Any


class Generates(Fitted):
    """The generator: what the decoder makes of codes that no observation has."""

    def swap(self, content: Observed, style: Observed) -> Array:
        """Observations with the class-related code of content[i] and the class-independent code of style[i].

        Raises:
            ValueError: content and style differ in length.
        """
        what, how = self._infer(content), self._infer(style)
        if len(what.u_mean) != len(how.z_mean):
            raise ValueError(f"content has {len(what.u_mean)} rows and style has {len(how.z_mean)}: pairs are needed.")
        return self._decode(torch.cat([what.u_mean, how.z_mean], dim=1))

    def sample(self, n: int = 1, label: Label = None, random_state: RandomState = None) -> Array:
        """Observations drawn from the learned prior.

        Args:
            n: how many.
            label: the class; for several attributes a sequence, one an attribute, or a mapping from names of
                attributes to classes. ``None``, or an attribute that is not named, is drawn from π.
            random_state: seed.

        Raises:
            ValueError: label is not a class; n is not a whole number, or less than 1.
        """
        net = self._fitted_net()
        if not isinstance(n, int | np.integer) or n < 1:
            raise ValueError(f"n={n}: should be a whole number, at least 1.")
        return self._decode(prior_codes(net, int(n), labels.numbers_of(label, self.attributes_), seed_of(random_state)))

    def counterfactual(self, X: Observed, label: Label) -> Array:
        """Each observation as it would look as another class, its z kept.

        Its u becomes the mean of the class in the prior, unless it is of that class already. For several attributes,
        label is a sequence, one an attribute, where ``None`` leaves an attribute as it is, or a mapping from the names
        of those that change to their classes.
        """
        net = self._fitted_net()
        return self._decode(counterfactual_codes(net, self._infer(X), labels.numbers_of(label, self.attributes_)))

    def traverse(self, X: Observed, code: str = "z", dim: int = 0, values: ArrayLike | None = None) -> Array:
        """Each observation with one dimension of its code moved along values: (N, V, …).

        Args:
            code: ``"u"`` or ``"z"``.
            dim: which dimension of it.
            values: those that it takes; by default nine, over what the prior gives weight to.

        Raises:
            ValueError: there is no such code or dimension, or a value that is not finite.
        """
        column = self._column(code, dim)
        steps = (
            traversal_values(self.net_, column)
            if values is None
            else torch.tensor(np.asarray(values, dtype=np.float32).ravel())
        )
        if not steps.isfinite().all():
            raise ValueError(f"values should be finite numbers; they are {steps.tolist()}.")
        moved = traversal_codes(self._infer(X).mean, column, steps)
        flat = decode(self.net_, moved.flatten(end_dim=1))
        return self.layout_.to_array(flat.unflatten(0, moved.shape[:2]))

    def _column(self, code: str, dim: int) -> int:
        partition = self._fitted_net().partition
        sizes = {"u": partition.u_size, "z": partition.z_dim}
        if code not in sizes:
            raise ValueError(f"code={code!r}: should be 'u' or 'z'.")
        if not isinstance(dim, int | np.integer):
            raise ValueError(f"dim={dim!r}: should be a whole number.")
        if not 0 <= dim < sizes[code]:
            raise ValueError(f"dim={dim}: {code} has {sizes[code]} dimensions, counted from 0.")
        return int(dim) if code == "u" else partition.u_size + int(dim)
