"""dSprites, in the ``.npz`` that it is published in."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.cache import stored_rows
from partedvae.data.dataset import Dataset
from partedvae.data.download import published_file
from partedvae.data.factor_files import factor_dataset, observed_grid, with_value_names
from partedvae.data.factors import FactorGrid
from partedvae.data.faults import naming
from partedvae.data.reading import Reading

Array = NDArray[Any]

_FACTORS = ("color", "shape", "scale", "orientation", "x", "y")
_SHAPES = {1.0: "square", 2.0: "ellipse", 3.0: "heart"}
_BYTES_AT_ONCE = 2**25


def read_dsprites(reading: Reading) -> Dataset:
    """Pictures (N, 64, 64) of 0 and 255, one for each combination of six factors; the attribute is the shape.

    Args:
        reading: ``data_dir`` has the ``.npz``; ``labels`` names other factors as attributes.

    Raises:
        DataError: the file is missing, damaged, or not dSprites.
    """
    path = published_file("dsprites", reading)
    with naming(path), zipfile.ZipFile(path) as archive:
        classes, values = (_small(archive, name) for name in ("latents_classes", "latents_values"))
        shape = _shape_of_images(archive)
        if not len(classes) == len(values) == shape[0]:
            raise ValueError(f"it has {shape[0]} pictures, {len(values)} latents_values and {len(classes)} classes")
        grid, points = _grid(classes, values)
    x = stored_rows("dsprites", path, shape, np.uint8, lambda: _images(path, shape), reading.cache)
    return factor_dataset(x, grid, points, reading)


def _small(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    if array.ndim != 2 or array.shape[1] != len(_FACTORS):
        raise ValueError(f"{name} has shape {array.shape}; it should be (N, {len(_FACTORS)})")
    return array


def _grid(classes: Array, values: Array) -> tuple[FactorGrid, NDArray[np.int64]]:
    """Places by class, and what the places mean by the values beside them."""
    grid, points = observed_grid(_FACTORS, classes)
    meanings = []
    for column, (places, size) in enumerate(zip(grid.factors(points).T, grid.sizes, strict=True)):
        meaning = np.empty(size)
        meaning[places] = values[:, column]
        if (meaning[places] != values[:, column]).any():
            raise ValueError(f"latents_classes and latents_values do not agree about {_FACTORS[column]}")
        meanings.append(tuple(meaning.tolist()))
    return with_value_names(replace(grid, values=tuple(meanings)), "shape", _SHAPES), points


def _shape_of_images(archive: zipfile.ZipFile) -> tuple[int, ...]:
    with archive.open("imgs.npy") as member:
        return _header(member)


def _header(member: IO[bytes]) -> tuple[int, ...]:
    """Shape of the array that follows."""
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(member)
    if len(shape) != 3 or not math.prod(shape) or fortran_order or dtype != np.uint8:
        raise ValueError(f"imgs has shape {shape} of {dtype}; it should be (N, 64, 64) of uint8")
    return tuple(shape)


def _images(path: Path, shape: tuple[int, ...]) -> Iterator[Array]:
    row_bytes = math.prod(shape[1:])
    step = max(1, _BYTES_AT_ONCE // row_bytes)
    with naming(path), zipfile.ZipFile(path) as archive, archive.open("imgs.npy") as member:
        _header(member)
        for start in range(0, shape[0], step):
            n = min(step, shape[0] - start)
            content = member.read(n * row_bytes)
            if len(content) != n * row_bytes:
                raise EOFError(f"imgs ends before picture {start + n}")
            part = np.frombuffer(content, dtype=np.uint8).reshape(n, *shape[1:])
            if part.max() > 1:
                raise ValueError(f"imgs has the value {part.max()}; it should have 0 and 1 only")
            yield part * np.uint8(255)
        if member.read(1):  # which also checks the sum of the whole
            raise ValueError(f"imgs has more than {shape[0]} pictures")
