"""What a thing is apart from how it looks, learnt with few labels.

A semi-supervised VAE with a class-related code u and a class-independent code z.

>>> sorted(__all__)
['Codes', 'PartedVAE', '__version__']
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partedvae.estimator import Codes, PartedVAE

__all__ = ["Codes", "PartedVAE", "__version__"]
__version__ = version("partedvae")


def __getattr__(name: str) -> object:
    # torch takes seconds to import: only when the estimator is asked for.
    if name in ("PartedVAE", "Codes"):
        from partedvae import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module 'partedvae' has no attribute {name!r}")
