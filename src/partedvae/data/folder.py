"""A folder of pictures, one folder a class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from partedvae.data.dataset import DataError, Dataset
from partedvae.data.decoding import decode
from partedvae.data.images import SUFFIXES
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING, Attribute

UNLABELLED = {"unlabeled", "unlabelled"}


def read_folder(folder: Path, reading: Reading) -> Dataset:
    """Pictures in ``<class>/…`` with that class, and in ``unlabeled/…`` or directly in the folder with none.

    If every picture is grey, observations are grey (N, H, W); otherwise all are read as colour (N, H, W, 3), a
    transparent one laid over white.

    Raises:
        DataError: no pictures, an empty class folder, a file that cannot be read, different sizes; it names which.
    """
    named = _class_folders(folder)
    unlabelled = UNLABELLED | {name.lower() for name in reading.missing}
    files = [(path, MISSING) for path in _pictures(folder, nested=False)]
    classes = sorted(name for name in named if name.lower() not in unlabelled)
    for name, inside in named.items():
        found = _pictures(inside, nested=True)
        if not found:
            raise DataError(f"{inside} has no pictures ({', '.join(sorted(SUFFIXES))}).")
        code = MISSING if name.lower() in unlabelled else classes.index(name)
        files += [(path, code) for path in found]
    if not files:
        raise DataError(f"{folder} has no pictures ({', '.join(sorted(SUFFIXES))}).")
    files.sort(key=lambda item: item[0].as_posix())
    files = [files[row] for row in random_rows(len(files), reading.max_rows)]
    ids = [path.relative_to(folder).as_posix() for path, _ in files]
    decoded = decode([path for path, _ in files], reading, f"folder {folder.resolve()}", ids)
    codes = np.array([[code] for _, code in files], dtype=np.int64)[:, : 1 if classes else 0]
    return Dataset(
        x=decoded.x,
        codes=codes[decoded.kept],
        attributes=(Attribute("class", np.array(classes)),) if classes else (),
        ids=tuple(ids[row] for row in decoded.kept),
        skipped=decoded.skipped,
    )


def _class_folders(folder: Path) -> dict[str, Path]:
    return {
        inside.name: inside
        for inside in sorted(folder.iterdir())
        if inside.is_dir() and not inside.name.startswith(".")
    }


def _pictures(folder: Path, nested: bool) -> list[Path]:
    """Picture files, without asking the disk about each: a folder may hold a million. What is hidden is left alone."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        found += [Path(place, name) for name in names if _is_picture(name)]
        folders[:] = [name for name in folders if nested and not name.startswith(".")]
    return found


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")  # noqa: PTH122  # a walk gives names
