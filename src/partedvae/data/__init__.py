"""People's data: every source becomes one kind of ``Dataset``."""

from partedvae.data.dataset import DataError, Dataset
from partedvae.data.sources import BUILTINS, load
from partedvae.data.subsets import choose_labelled, hold_out

__all__ = ["BUILTINS", "DataError", "Dataset", "choose_labelled", "hold_out", "load"]
