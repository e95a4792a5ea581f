"""From what a person types as DATA to a ``Dataset``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from partedvae.data import arrays, label_file, tables
from partedvae.data.celeba import read_celeba
from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.dsprites import read_dsprites
from partedvae.data.folder import read_folder
from partedvae.data.hub import is_hub, read_hub
from partedvae.data.idx_sets import read_idx_set
from partedvae.data.images import MOST_CHANNELS, SUFFIXES, resize
from partedvae.data.lazy import changed
from partedvae.data.omics import read_h5ad
from partedvae.data.parquet_table import PARQUET
from partedvae.data.reading import Reading, option_of
from partedvae.data.shapes3d import read_shapes3d
from partedvae.data.sprites import read_sprites
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute

HUB = "hf:"
_EVERYWHERE = ("label_file", "max_rows", "cache")
_PICTURES = ("size", "pad")
_COLUMNS = ("labels", "labels_if_there", "missing")
_PUBLISHED = ("data_dir", "split", "download")
_FACTORS = ("data_dir", "download", "labels")


class Kind(NamedTuple):
    """What is read in one way, and the options of :class:`Reading` that apply to it."""

    read: Callable[[Path, Reading], Dataset]
    options: tuple[str, ...]


class Builtin(NamedTuple):
    """A data set known by name, and the options that apply to it beside those that apply to all of them."""

    read: Callable[[Reading], Dataset]
    about: str
    options: tuple[str, ...] = ()


def load(source: str | Path, reading: Reading | None = None, **options: Any) -> Dataset:
    """Read DATA.

    Args:
        source: the name of a built-in, a folder of pictures, a CSV or Parquet file, an ``.npy``, ``.npz`` or ``.h5ad``,
            a folder that Hugging Face's datasets saved, or ``hf:NAME``.
        reading: how to read it.
        options: of :class:`Reading`, over those of ``reading``.

    Raises:
        DataError: it cannot be read; the message says which file and why.

    >>> data = load("digits", size=(16, 16))
    >>> data.x.shape, data.x.dtype.name, len(data.labelled)
    ((1797, 16, 16), 'uint8', 1797)
    """
    source = str(source)
    try:
        how = Reading(**{**(reading or Reading()).model_dump(), **options})
    except ValidationError as error:
        problem = error.errors()[0]
        raise DataError(f"{source}: {problem['loc'][0]}={problem['input']!r}: {problem['msg']}.") from None
    _refuse_useless(source, how)
    # With a label file, the columns that are named are its own.
    own = how if how.label_file is None else how.model_copy(update={"labels": None})
    data = _sized(_kind(source).read(Path(source), own), own)
    return data if how.label_file is None else label_file.with_label_file(data, Path(how.label_file), how)


def located(source: str) -> str:
    """A source as it is found from any folder: files and folders by their whole path.

    Raises:
        DataError: that path cannot be written down as text.
    """
    if source in BUILTINS or not Path(source).exists():
        return source
    path = str(Path(source).absolute())
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path!r}: this name is not of UTF-8 and cannot be noted in a run; rename it.") from None
    return path


def applies(option: str, source: str | Path, *, with_label_file: bool = False) -> bool:
    """Whether an option of :class:`Reading` could change how a source is read.

    Raises:
        DataError: there is no such source, or it is of no known kind.

    >>> applies("size", "digits"), applies("features", "digits")
    (True, False)
    """
    of_labels = ("labels", "missing") if with_label_file else ()
    return option in (*_EVERYWHERE, *of_labels, *_kind(str(source)).options)


def _kind(source: str) -> Kind:
    """How a source is read.

    Raises:
        DataError: there is no such source, or it is of no known kind.
    """
    if source in BUILTINS:
        builtin = BUILTINS[source]
        return Kind(lambda _, reading: builtin.read(reading), (*_PICTURES, *builtin.options))
    path = Path(source)
    if source.startswith(HUB) or (path.exists() and is_hub(path)):
        return _HUB_KIND
    if not path.exists():
        known = ", ".join(BUILTINS)
        raise DataError(
            f"There is no file or folder {source!r}, and no built-in of that name; the built-ins are {known}."
        )
    if path.is_dir():
        return _FOLDER
    if path.suffix.lower() in SUFFIXES:
        raise DataError(f"{path} is one picture. Put it into a folder, and give that.")
    if path.suffix.lower() not in _FILES:
        raise DataError(f"{path} is neither a folder of pictures nor a file of a known kind ({', '.join(_FILES)}).")
    return _FILES[path.suffix.lower()]


def _refuse_useless(source: str, reading: Reading) -> None:
    """Refuse options that would change nothing: who gives them expects something of them."""
    for name in reading.typed:
        if not applies(name, source, with_label_file=reading.label_file is not None):
            raise DataError(f"{option_of(name)}: does not apply to {source}.")
    if reading.pad and reading.size is None:
        raise DataError("--pad: says how pictures are brought to a size, and none is named. Give --size too.")


def _digits(reading: Reading) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Sixteen levels of grey, on the scale of all other pictures.
    x = (bunch.images * (255 / 16)).round().astype(np.uint8)
    codes = bunch.target[:, None].astype(np.int64)
    data = Dataset(x, codes, (Attribute("class", np.arange(10)),), Numbered(range(len(x))))
    return data.take(random_rows(len(data), reading.max_rows))


BUILTINS: dict[str, Builtin] = {
    "digits": Builtin(_digits, "1,797 handwritten digits of 8×8, inside scikit-learn"),
    "mnist": Builtin(partial(read_idx_set, "mnist"), "70,000 handwritten digits of 28×28; IDX files", _PUBLISHED),
    "fashion-mnist": Builtin(
        partial(read_idx_set, "fashion-mnist"), "70,000 pieces of clothing of 28×28; IDX files", _PUBLISHED
    ),
    "dsprites": Builtin(read_dsprites, "737,280 shapes of 64×64 with all their factors; one .npz", _FACTORS),
    "shapes3d": Builtin(read_shapes3d, "480,000 solids of 64×64×3 with all their factors; one .h5", _FACTORS),
    "celeba": Builtin(
        read_celeba,
        "202,599 faces of 218×178×3, eight attributes",
        (*_PUBLISHED, "groups", "labels", "skip_bad"),
    ),
    "sprites": Builtin(
        partial(read_sprites, "sprites"),
        "737,280 shapes, drawn here, on the factors of dsprites; no files",
        ("labels",),
    ),
    "sprites-rgb": Builtin(partial(read_sprites, "sprites-rgb"), "the same in ten hues; no files", ("labels",)),
    "sprites-room": Builtin(
        partial(read_sprites, "sprites-room"), "the same before a wall and a floor of ten hues; no files", ("labels",)
    ),
}
"""Built-in data sets by name."""


_HUB_KIND = Kind(
    lambda source, reading: read_hub(str(source).removeprefix(HUB), reading),
    (*_PICTURES, *_COLUMNS, "features", "split", "download", "streaming", "skip_bad"),
)
_FOLDER = Kind(read_folder, (*_PICTURES, "missing", "skip_bad"))
_TABLE = Kind(tables.read_table, (*_PICTURES, *_COLUMNS, "features", "data_dir", "skip_bad"))
_FILES: dict[str, Kind] = {
    **dict.fromkeys((".csv", ".tsv", *PARQUET), _TABLE),
    ".npz": Kind(arrays.read_npz, (*_PICTURES, "missing")),
    ".npy": Kind(arrays.read_npy, _PICTURES),
    ".h5ad": Kind(read_h5ad, (*_COLUMNS, "features", "layer")),
}


def _sized(data: Dataset, reading: Reading) -> Dataset:
    """The pictures of a source that has no size of its own to choose, at the size asked for."""
    size, x = reading.size, data.x
    first = len(x.shape) == 4 and x.shape[1] <= MOST_CHANNELS  # as Layout takes them
    if size is None or x.shape[1:3] == size or (first and x.shape[2:] == size):
        return data
    if len(x.shape) == 2:
        raise DataError(
            f"These are rows of {x.shape[1]} numbers: only pictures can be brought to {size[0]}×{size[1]}, the size "
            "asked for, or that of the model."
        )
    if len(x.shape) not in (3, 4) or x.dtype != np.uint8 or (len(x.shape) == 4 and x.shape[3] > MOST_CHANNELS):
        raise DataError(
            f"Only pictures of uint8, (N, H, W) or (N, H, W, C), can be brought to {size[0]}×{size[1]}; X is {x.shape} "
            f"of {x.dtype}."
        )
    return replace(data, x=changed(x, (*size, *x.shape[3:]), partial(resize, size=size, pad=reading.pad)))
