"""Libraries that only some sources need, and what to say where one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from partedvae.data.dataset import DataError


def require(module: str, extra: str, because: str) -> Any:
    """A module, or a DataError that says how to install it.

    >>> require("json", "tables", "x is a Parquet file").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(f"{because}: it needs {module}. pip install 'partedvae[{extra}]'.") from None
