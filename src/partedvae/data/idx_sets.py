"""MNIST and Fashion-MNIST, in the four IDX files that they are published in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.download import data_folder, fetch
from partedvae.data.idx import read_idx
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute

Array = NDArray[Any]

_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts the files
_CLASSES: dict[str, Array] = {
    "mnist": np.arange(10),
    "fashion-mnist": np.array(
        ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
    ),
}
_TORCHVISION = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}  # where torchvision keeps the files
_PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read_idx_set(name: str, reading: Reading) -> Dataset:
    """The training pictures and then the test pictures, or only one part, with their classes.

    Args:
        name: ``mnist`` or ``fashion-mnist``.
        reading: ``data_dir`` is the folder of the files, plain or gzipped, or torchvision's; ``split`` is the part.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    if reading.split not in (None, *_PARTS):
        raise DataError(f"--split {reading.split}: should be train or test.")
    parts = [files for part, files in _PARTS.items() if reading.split in (None, part)]
    folder = _folder(name, reading)
    if reading.download and None in [_found(name, folder, file) for files in parts for file in files]:
        fetch(name, folder)
    read = [_read_part(_existing(name, folder, images), _existing(name, folder, labels)) for images, labels in parts]
    if len({x.shape[1:] for x, _ in read}) > 1:
        raise DataError(f"{name}: the training pictures and the test pictures in {folder} have different sizes.")
    x, codes = np.concatenate([x for x, _ in read]), np.concatenate([codes for _, codes in read])
    data = Dataset(x, codes[:, None], (Attribute("class", _CLASSES[name]),), Numbered(range(len(x))))
    return data if reading.max_rows is None else data.take(random_rows(len(data), reading.max_rows))


def _folder(name: str, reading: Reading) -> Path:
    if name == "fashion-mnist" and reading.data_dir is None and _DEBIAN_FASHION.is_dir():
        return _DEBIAN_FASHION
    return data_folder(name, reading)


def _found(name: str, folder: Path, file: str) -> Path | None:
    """The file, plain before gzipped; some copies have a dot for the second hyphen."""
    names = [f"{spelt}{suffix}" for spelt in (file, file.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    paths = [place / spelt for place in (folder, folder / _TORCHVISION[name]) for spelt in names]
    return next((path for path in paths if path.is_file()), None)


def _existing(name: str, folder: Path, file: str) -> Path:
    path = _found(name, folder, file)
    if path is None:
        debian = " Debian's package dataset-fashion-mnist has it too." if name == "fashion-mnist" else ""
        raise DataError(
            f"{name}: there is no file {folder / file}, nor one with .gz. Name the folder of the four IDX files with "
            f"--data-dir, or fetch them there with --download.{debian}"
        )
    return path


def _read_part(image_file: Path, label_file: Path) -> tuple[Array, NDArray[np.int64]]:
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3:
        raise DataError(f"{image_file} has shape {images.shape}; pictures should be (N, H, W).")
    if labels.ndim != 1 or (labels > 9).any():
        raise DataError(f"{label_file} should have one number from 0 to 9 for each picture.")
    if len(images) != len(labels):
        raise DataError(f"{image_file} has {len(images)} pictures and {label_file} has {len(labels)} labels.")
    return images, labels.astype(np.int64)
