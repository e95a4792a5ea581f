"""A folder of pictures, one folder a class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from partedvae.data.dataset import DataError, Dataset
from partedvae.data.decoding import decode
from partedvae.data.images import SUFFIXES
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING, Attribute

UNLABELLED = {"unlabeled", "unlabelled"}
_OF_OTHERS = {"__macosx", "thumbs.db", "desktop.ini"}  # what archives and systems leave among pictures
_KNOWN = ", ".join(sorted(SUFFIXES))
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"}


def read_folder(folder: Path, reading: Reading) -> Dataset:
    """Pictures in ``<class>/…`` with that class, and in ``unlabeled/…`` or directly in the folder with none.

    If every picture is grey, observations are grey (N, H, W); otherwise all are read as colour (N, H, W, 3), a
    transparent one laid over white.

    Raises:
        DataError: no pictures, an empty class folder, a file that cannot be read, different sizes, folders that are
            parts such as train and test; it names which.
    """
    named = _class_folders(folder)
    _refuse_parts(folder, named)
    unlabelled = UNLABELLED | {name.lower() for name in reading.missing}
    others: Counter[str] = Counter()
    files = [(path, MISSING) for path in _pictures(folder, nested=False, others=others)]
    classes = sorted(name for name in named if name.lower() not in unlabelled)
    for name, inside in named.items():
        found = _pictures(inside, nested=True, others=others)
        if not found:
            raise DataError(f"{inside} has no pictures ({_KNOWN}): add some, or remove the folder.")
        code = MISSING if name.lower() in unlabelled else classes.index(name)
        files += [(path, code) for path in found]
    if not files:
        raise DataError(f"{folder} has no pictures ({_KNOWN}).")
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
        notes=(*decoded.notes, *_not_read(others)),
    )


def _class_folders(folder: Path) -> dict[str, Path]:
    return {
        inside.name: inside for inside in sorted(folder.iterdir()) if inside.is_dir() and not _is_hidden(inside.name)
    }


def _pictures(folder: Path, nested: bool, others: Counter[str]) -> list[Path]:
    """Picture files, without asking the disk about each: a folder may hold a million. What is hidden is left alone.

    Args:
        folder: to look into; links to folders are followed, each folder once.
        nested: look into the folders in it, too.
        others: counts, by their suffix, files that are no pictures.
    """
    found: list[Path] = []
    seen = {folder.resolve()}
    for place, folders, names in os.walk(folder, followlinks=True):
        for name in names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  # a walk gives names
            if _is_hidden(name):
                continue
            if suffix in SUFFIXES:
                found.append(Path(place, name))
            else:
                others[suffix] += 1
        inside = [(name, Path(place, name).resolve()) for name in folders if nested and not _is_hidden(name)]
        folders[:] = [name for name, real in inside if real not in seen]
        seen |= {real for _, real in inside}
    return found


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is not a person's, who has put pictures here."""
    return name.startswith(".") or name.lower() in _OF_OTHERS


def _not_read(others: Counter[str]) -> tuple[str, ...]:
    """What lies among pictures and is none by its name: a line for each kind."""
    return tuple(
        f"{count:,} {'file' if count == 1 else 'files'} *{suffix} not read: pictures end in {_KNOWN}"
        for suffix, count in sorted(others.items())
    )


def _refuse_parts(folder: Path, named: Iterable[str]) -> None:
    """Folders that are called train and test are parts of data, not classes."""
    names = sorted(named)
    if len(names) > 1 and {name.lower() for name in names} <= _PARTS:
        raise DataError(
            f"{folder} has the folders {' and '.join(names)}, which would be its classes. Name one of them, as in "
            f"{folder / names[-1]}."
        )
