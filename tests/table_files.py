"""Small CSV and Parquet files, and the pictures that some of them name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image
from pyarrow import parquet


def csv_file(place: Path, content: str | bytes, name: str = "data.csv") -> str:
    path = place / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def parquet_file(place: Path, name: str = "data.parquet", **of_columns: Any) -> str:
    parquet.write_table(pa.table(of_columns), place / name)
    return str(place / name)


def pictures(folder: Path, *names: str, side: int = 8) -> None:
    """Grey pictures, each of its own."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side), 10 * number).save(folder / name)
