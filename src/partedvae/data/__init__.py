"""People's data: every source becomes one kind of ``Dataset``."""

from partedvae.data.dataset import DataError, Dataset
from partedvae.data.factors import FactorGrid
from partedvae.data.reading import Reading
from partedvae.data.sources import BUILTINS, load, located
from partedvae.data.subsets import choose_labelled, hold_out

__all__ = [
    "BUILTINS",
    "DataError",
    "Dataset",
    "FactorGrid",
    "Reading",
    "choose_labelled",
    "hold_out",
    "load",
    "located",
]
