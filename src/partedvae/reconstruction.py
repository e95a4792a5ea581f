"""How far reconstructions are from observations, of which memory need not have room for all."""

from __future__ import annotations

import math

import numpy as np

from partedvae.data.lazy import Rows, chunks
from partedvae.estimator import PartedVAE
from partedvae.observed import as_generated


def squared_error(model: PartedVAE, x: Rows) -> float:
    """Mean squared error of reconstruction, in the range of the observations (pictures: 0 to 1).

    >>> from sklearn.datasets import load_digits
    >>> images, digit = load_digits().images[:200] / 16, load_digits().target[:200]
    >>> model = PartedVAE(max_epochs=1, random_state=0).fit(images, digit)
    >>> bool(np.isclose(squared_error(model, images), np.square(model.reconstruct(images) - images).mean()))
    True
    """
    squares = sum(
        float(np.square(model.reconstruct(part) - as_generated(part, model.net_)).sum()) for _, part in chunks(x)
    )
    return squares / math.prod(x.shape)
