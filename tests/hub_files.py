"""Pictures of two animals, in the forms in which Hugging Face's library saves data."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

ANIMALS = ["cat", "dog"]


def pixels(n: int, *shape: int, seed: int = 0) -> Array:
    """Pictures of uint8 that have nothing in common."""
    return np.random.default_rng(seed).integers(256, size=(n, *(shape or (12, 10))), dtype=np.uint8)


def encoded(x: Array) -> bytes:
    """A picture as a PNG."""
    file = io.BytesIO()
    Image.fromarray(x).save(file, "png")
    return file.getvalue()


def pets(x: Any, codes: list[int | None]) -> Any:
    """Pictures (arrays, content, or None) with their animals, in the library's own types."""
    import datasets  # only now: it looks at its environment as it is imported

    features = datasets.Features({"image": datasets.Image(), "animal": datasets.ClassLabel(names=ANIMALS)})
    pictures = [Image.fromarray(each) if isinstance(each, np.ndarray) else each for each in x]
    return datasets.Dataset.from_dict({"image": pictures, "animal": codes}, features=features)


def saved(kind: str, data: Any, folder: Path) -> str:
    """A data set in one of the forms that are read, each of two or more rows."""
    import datasets

    if kind == "folder":
        data.save_to_disk(folder / "pets")
    elif kind == "folder with parts":
        datasets.DatasetDict(train=data, test=data.select([0])).save_to_disk(folder / "pets")
    elif kind == "Parquet files":
        half = len(data) // 2
        for part, rows in enumerate((range(half), range(half, len(data)))):
            data.select(rows).to_parquet(folder / "pets" / f"train-{part}.parquet")
    else:
        data.to_parquet(folder / "pets.parquet")
        return str(folder / "pets.parquet")
    return str(folder / "pets")
