"""From what a person types as DATA to a ``Dataset``."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from partedvae.data.dataset import DataError, Dataset
from partedvae.data.idx import read_idx
from partedvae.data.images import Size, read_folder, resize
from partedvae.labels import Attribute, encode

_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts the files
_FASHION_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def load(source: str, data_dir: Path | None = None, size: Size | None = None) -> Dataset:
    """Read DATA: the name of a built-in, an ``.npz`` with ``X`` and perhaps ``y``, or a folder of pictures.

    Args:
        source: what to read.
        data_dir: where the files of a built-in lie.
        size: (height, width) that pictures are resized to.

    Raises:
        DataError: it cannot be read; the message says which file and why.

    >>> data = load("digits")
    >>> data.x.shape, data.x.dtype.name, len(data.labelled)
    ((1797, 8, 8), 'uint8', 1797)
    """
    if source in BUILTINS:
        data = BUILTINS[source](data_dir)
        return data if size is None else _resized(data, size)
    path = Path(source)
    if path.is_dir():
        return read_folder(path, size)
    if path.suffix == ".npz" and path.is_file():
        data = _read_npz(path)
        return data if size is None else _resized(data, size)
    if path.exists():
        raise DataError(f"{path} is neither a folder of pictures nor an .npz file with X and y.")
    raise DataError(
        f"There is no file or folder {source!r}, and no built-in of that name; the built-ins are {', '.join(BUILTINS)}."
    )


def _digits(data_dir: Path | None) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Sixteen levels of grey, on the scale of all other pictures.
    return _numbered((bunch.images * (255 / 16)).round().astype(np.uint8), bunch.target)


def _fashion_mnist(data_dir: Path | None) -> Dataset:
    """The 60,000 training pictures, then the 10,000 test pictures."""
    folder = data_dir or _DEBIAN_FASHION
    if not folder.is_dir():
        raise DataError(
            f"fashion-mnist: there is no folder {folder}. Install Debian's package dataset-fashion-mnist, or give the "
            "folder of the four IDX files with --data-dir."
        )
    x = np.concatenate([read_idx(_idx_file(folder, f"{part}-images-idx3-ubyte")) for part in ("train", "t10k")])
    y = np.concatenate([read_idx(_idx_file(folder, f"{part}-labels-idx1-ubyte")) for part in ("train", "t10k")])
    data = _numbered(x, y)
    attribute = Attribute("class", np.array(_FASHION_CLASSES))
    return Dataset(data.x, data.codes, (attribute,), data.ids)


BUILTINS: dict[str, Callable[[Path | None], Dataset]] = {"digits": _digits, "fashion-mnist": _fashion_mnist}
"""Built-in data sets by name."""


def _idx_file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _read_npz(path: Path) -> Dataset:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "X" not in arrays:
                raise DataError(f"{path} has no array X; it has {', '.join(arrays.files) or 'nothing'}.")
            x, y = arrays["X"], arrays.get("y")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read: {error}") from None
    if x.ndim < 2 or not len(x):
        raise DataError(f"{path}: X has shape {x.shape}; it should be (N, F) features or (N, H, W[, C]) images.")
    if y is None:
        return Dataset(x, np.empty((len(x), 0), dtype=np.int64), (), _row_numbers(x))
    if y.dtype.kind == "U":
        y = np.where(y == "", None, y.astype(object))  # an .npz without pickles has no None for "missing"
    try:
        codes, attributes = encode(y, len(x))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return Dataset(x, codes, tuple(attributes), _row_numbers(x))


def _numbered(x: Any, y: Any) -> Dataset:
    codes, attributes = encode(y, len(x))
    return Dataset(x, codes, tuple(attributes), _row_numbers(x))


def _row_numbers(x: Any) -> tuple[str, ...]:
    return tuple(map(str, range(len(x))))


def _resized(data: Dataset, size: Size) -> Dataset:
    if data.x.ndim not in (3, 4) or data.x.dtype != np.uint8:
        raise DataError(f"--size: only pictures of uint8 can be resized; X has shape {data.x.shape} of {data.x.dtype}.")
    return Dataset(resize(data.x, size), data.codes, data.attributes, data.ids)
