"""Published files in small, and how they are read."""

from __future__ import annotations

import gzip
import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.data.reading import Reading

Array = NDArray[Any]

SPRITES = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


def reading(folder: Path, **options: Any) -> Reading:
    return Reading(data_dir=str(folder), **options)


def _idx(array: Array) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(_idx(array)) if path.suffix == ".gz" else _idx(array))


def write_idx_set(folder: Path, spelling: str = "{}-{}-idx{}-ubyte") -> dict[str, tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 20), ("t10k", 10)):
        x, y = rng.integers(256, size=(n, 28, 28), dtype=np.uint8), rng.integers(10, size=n, dtype=np.uint8)
        write_idx(folder / spelling.format(part, "images", 3), x)
        write_idx(folder / spelling.format(part, "labels", 1), y)
        parts[part] = (x, y)
    return parts


class Trap:
    """Fails the test of whoever unpickles it."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("the metadata were unpickled",)


def dsprites_arrays() -> dict[str, Array]:
    values = [[1.0], [1.0, 2.0, 3.0], [0.5, 0.6], [0.0, 3.1], [0.0, 1.0], [0.0, 0.5, 1.0]]
    classes = np.array(list(itertools.product(*(range(len(v)) for v in values))))
    meant = np.stack([np.array(v)[classes[:, k]] for k, v in enumerate(values)], axis=1)
    images = np.random.default_rng(0).integers(2, size=(len(classes), 64, 64), dtype=np.uint8)
    metadata = np.empty((), dtype=object)
    metadata[()] = Trap()
    return {"imgs": images, "latents_values": meant, "latents_classes": classes, "metadata": metadata}


def save_dsprites(folder: Path, arrays: dict[str, Array], compressed: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(folder / SPRITES, **arrays)  # type: ignore[arg-type]  # its hints take a name for allow_pickle
    return folder


def shapes3d_arrays() -> dict[str, Array]:
    hues = [0.0, 0.1]
    values = [hues, hues, [0.0, 0.1, 0.2], [0.75, 1.25], [0.0, 1.0, 2.0, 3.0], [-30.0, 30.0]]
    labels = np.array(list(itertools.product(*values)))
    return {
        "images": np.random.default_rng(0).integers(256, size=(len(labels), 8, 8, 3), dtype=np.uint8),
        "labels": labels,
    }


def save_shapes3d(folder: Path, arrays: dict[str, Array], **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **(options if name == "images" else {}))
    return folder


def with_one(name: str, change: Callable[[Array], Array]) -> Callable[[dict[str, Array]], dict[str, Array]]:
    return lambda arrays: arrays | {name: change(arrays[name])}
