"""What a thing is apart from how it looks, learnt with few labels.

A semi-supervised VAE with a class-related code u and a class-independent code z.

>>> sorted(__all__)
['Codes', 'PartedVAE', '__version__']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partedvae.estimator import Codes, PartedVAE

    __version__: str

__all__ = ["Codes", "PartedVAE", "__version__"]


def __getattr__(name: str) -> object:
    # torch takes seconds to import, and what reads versions pulls in all that reads mail: only when asked for.
    if name in ("PartedVAE", "Codes"):
        from partedvae import estimator

        return getattr(estimator, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("partedvae")
    raise AttributeError(f"module 'partedvae' has no attribute {name!r}")
