"""Files of NumPy: ``.npy`` mapped, ``.npz`` mapped where its arrays are not compressed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from partedvae import given_labels
from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.faults import naming
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading, numbers_among
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute

Array = NDArray[Any]

_LOCAL_HEADER, _NAME_LENGTH, _EXTRA_LENGTH = 30, slice(26, 28), slice(28, 30)  # of a file inside a ZIP


def read_npy(path: Path, reading: Reading) -> Dataset:
    """Observations of an ``.npy``, mapped; it has no labels.

    Raises:
        DataError: the file is damaged, holds Python objects, or has no rows.
    """
    return of_arrays(map_npy(path, str(path)), None, path, reading)


def read_npz(path: Path, reading: Reading) -> Dataset:
    """Observations ``X`` and, if they are there, labels ``y`` (text: blank is unlabelled) of an ``.npz``.

    An ``X`` that ``numpy.savez`` wrote is mapped; one of ``savez_compressed`` is read into memory.

    Raises:
        DataError: the file is damaged, holds Python objects, or has no ``X``.
    """
    with naming(path):
        x, y = _members(path)
    return of_arrays(x, y, path, reading)


def of_arrays(x: Rows, y: Array | None, path: Path, reading: Reading) -> Dataset:
    """A data set of observations and labels; errors name the file."""
    if not 2 <= len(x.shape) <= 4 or 0 in x.shape:
        raise DataError(f"{path}: X has shape {x.shape}; it should be (N, F) features or (N, H, W[, C]) images.")
    if x.dtype.kind not in "buif":
        raise DataError(f"{path}: X is of {x.dtype}; it should be of numbers.")
    codes, attributes = encode_labels(y, len(x), str(path), reading)
    data = Dataset(x, codes, attributes, Numbered(range(len(x))))
    return data if reading.max_rows is None else data.take(random_rows(len(data), reading.max_rows))


def encode_labels(
    y: Array | None, n_rows: int, where: str, reading: Reading
) -> tuple[NDArray[np.int64], tuple[Attribute, ...]]:
    """Labels as numbers, where what blank text and ``reading.missing`` name is missing; none at all for ``None``."""
    if y is None:
        return np.empty((n_rows, 0), dtype=np.int64), ()
    if y.dtype.kind == "f" and given_labels.soft(y) is not None:
        raise DataError(
            f"{where}: y has class probabilities. A file has labels; probabilities are learned from by "
            "PartedVAE.fit(X, y) in Python."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind in "UO" or reading.missing:
        blank = np.isin(y.astype(str), ["", *reading.missing])
        if y.dtype.kind == "f":
            blank |= np.isin(y, numbers_among(reading.missing))  # 99 is 99.0, too
        y = y.astype(object)
        y[blank] = None
    try:
        codes, attributes = given_labels.encode(y, n_rows, lenient=True)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    return codes, tuple(attributes)


def map_npy(path: Path, called: str) -> Array:
    """The array of an ``.npy``, mapped; an error calls the file as it is told to."""
    with naming(called):
        with path.open("rb") as file:
            _header(file, "it")
        mapped: Array = np.lib.format.open_memmap(path, mode="r")
        return mapped


def map_member(path: Path, name: str) -> Array | None:
    """An array of an ``.npz``, mapped; ``None`` if it is compressed, so that it has to be read."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
        skip = sum(int.from_bytes(header[part], "little") for part in (_NAME_LENGTH, _EXTRA_LENGTH))
        file.seek(skip, 1)
        shape, fortran_order, dtype = _header(file, f"array {name}")
        start = file.tell()
    if not np.prod(shape):
        return None
    order: Literal["C", "F"] = "F" if fortran_order else "C"
    mapped: Array = np.memmap(str(path), dtype=dtype, mode="r", offset=start, shape=shape, order=order)
    return mapped


def _members(path: Path) -> tuple[Rows, Array | None]:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if "X" not in names:
            raise DataError(f"{path} has no array X; it has {', '.join(names) or 'nothing'}.")
        mapped = map_member(path, "X")
        return _read(archive, "X") if mapped is None else mapped, _read(archive, "y") if "y" in names else None


def _header(file: IO[bytes], called: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and type of the array that follows."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(f"{called} holds Python objects, which are not read; save numbers, or text with blanks in it")
    return shape, fortran_order, dtype


def _read(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as member:
        _header(member, f"array {name}")
    with archive.open(f"{name}.npy") as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        return array
