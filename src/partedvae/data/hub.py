"""Data sets of Hugging Face's library: by name, from a folder, or from Parquet files with pictures in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.arrays import encode_labels
from partedvae.data.cache import stored
from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.decoding import Encoded, decode_into, decoded_in
from partedvae.data.extras import require
from partedvae.data.lazy import RowNumbers
from partedvae.data.reading import Reading
from partedvae.data.stream import Stream
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute

Array = NDArray[Any]

_MARKS = ("dataset_dict.json", "dataset_info.json", "state.json")
_LABEL_NAMES = {"class", "label", "labels", "target", "y"}


@dataclass(frozen=True)
class Columns:
    """Which columns of a data set are what: one of pictures, or those of numbers; and those of labels."""

    picture: str | None
    numbers: tuple[str, ...]
    labels: tuple[str, ...]


def is_hub_folder(folder: Path) -> bool:
    """Whether a folder holds a data set of that library: as it saves them, or as Parquet files."""
    return any((folder / mark).exists() for mark in _MARKS) or any(folder.rglob("*.parquet"))


def has_pictures(path: Path) -> bool:
    """Whether a Parquet file has a column of encoded pictures, as that library writes them."""
    require("pyarrow", "tables", f"{path} is a Parquet file")
    from pyarrow import ArrowException, parquet, types

    try:
        schema = parquet.read_schema(path)
    except (OSError, ArrowException):
        return False
    return any(types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0 for field in schema)


def read_hub(source: str, reading: Reading) -> Dataset:
    """A data set by name, or from a folder or a Parquet file; pictures and classes are found by their types.

    A name is looked for among those that are here already, unless ``reading.download``. ``reading.split`` chooses a
    part; without it, the part ``train`` or the only one is read. With ``reading.streaming`` observations are never
    all in memory nor in a file of ours.

    Raises:
        DataError: there is no such data set or part, no column of pictures or numbers, or more than one of pictures.
    """
    require("datasets", "hub", f"{source} is a Hugging Face data set")
    part = _one_part(_opened(source, reading), source, reading.split)
    features = part.features
    if features is None:
        raise DataError(f"{source}: the types of its columns are not known until it is read; leave out --streaming.")
    columns = choose_columns(features, source, reading)
    if reading.streaming:
        return _streamed(part, columns, source, reading)
    rows = random_rows(len(part), reading.max_rows)
    part = part if len(rows) == len(part) else part.select(rows)
    if not len(part):
        raise DataError(f"{source} has no rows.")
    codes, attributes = _labels(part, columns, source, reading)
    ids = Numbered(rows)
    if columns.picture is None:
        names = columns.numbers if len(columns.numbers) > 1 else ()
        return Dataset(_numbers(part, columns.numbers), codes, attributes, ids, names)
    pictures = _Pictures(part, columns.picture)
    mark = f"{part._fingerprint} {reading.size} {reading.pad} {reading.skip_bad}"  # the library's own fingerprint
    places = [f"{source}, row {row}" for row in rows]
    folder = stored(f"hub {source} {reading.split}", mark, lambda f: decode_into(f, pictures, places, reading))
    decoded = decoded_in(folder, places)
    return Dataset(decoded.x, codes[decoded.kept], attributes, Numbered(rows[decoded.kept]), skipped=decoded.skipped)


def choose_columns(features: Any, source: str, reading: Reading) -> Columns:
    """The columns of pictures or numbers, and of labels, by the types that the data set declares."""
    kinds = {name: _kind(feature) for name, feature in features.items()}
    for named, what in ((reading.labels, "labels"), (reading.features, "features")):
        unknown = [name for name in named or () if name not in kinds]
        if unknown:
            raise DataError(f"{source} has no column {unknown[0]}, of {what}; it has {', '.join(kinds)}.")
    labels = reading.labels
    if labels is None:
        labels = tuple(name for name, kind in kinds.items() if kind == "class")
        labels = labels or tuple(n for n, k in kinds.items() if n.lower() in _LABEL_NAMES and k in ("text", "number"))
    pictures = [name for name, kind in kinds.items() if kind == "picture" and name in (reading.features or kinds)]
    if len(pictures) > 1:
        raise DataError(f"{source} has pictures in columns {', '.join(pictures)}. Name one with --feature-columns.")
    if pictures:
        return Columns(pictures[0], (), labels)
    arrays = [name for name, kind in kinds.items() if kind == "array" and name in (reading.features or kinds)]
    numbers = [n for n, k in kinds.items() if k == "number" and n not in labels and n in (reading.features or kinds)]
    chosen = tuple(arrays[:1] or numbers)
    if not chosen:
        raise DataError(f"{source} has no column of pictures or numbers; it has {', '.join(kinds)}.")
    return Columns(None, chosen, labels)


def _opened(source: str, reading: Reading) -> Any:
    import datasets

    path = Path(source)
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        if path.is_dir() and any((path / mark).exists() for mark in _MARKS):
            found = datasets.load_from_disk(source)
            return _as_stream(found) if reading.streaming else found
        if path.is_file():
            return datasets.load_dataset("parquet", data_files=source, streaming=reading.streaming)
        if path.is_dir():
            return datasets.load_dataset(source, streaming=reading.streaming)
        if reading.streaming and not reading.download:
            raise DataError(f"hf:{source}: streaming reads it over the network as it comes; that needs --download.")
        here = datasets.DownloadConfig(local_files_only=not reading.download)
        return datasets.load_dataset(source, download_config=here, streaming=reading.streaming)
    except DataError:
        raise
    except Exception as error:  # the library raises errors of many kinds, of other libraries too
        reason = " ".join(str(error).split())
        hint = "" if path.exists() or reading.download else " It is not here already; --download fetches it."
        raise DataError(f"hf:{source} cannot be read: {type(error).__name__}: {reason}{hint}") from None
    finally:
        if bars:
            datasets.enable_progress_bars()


def _as_stream(found: Any) -> Any:
    if hasattr(found, "to_iterable_dataset"):
        return found.to_iterable_dataset()
    return {name: part.to_iterable_dataset() for name, part in found.items()}


def _one_part(found: Any, source: str, split: str | None) -> Any:
    if not isinstance(found, dict):
        if split is not None:
            raise DataError(f"--split {split}: {source} has no parts.")
        return found
    if split is not None:
        if split not in found:
            raise DataError(f"--split {split}: {source} has {', '.join(found)}.")
        return found[split]
    if "train" in found:
        return found["train"]
    if len(found) == 1:
        return next(iter(found.values()))
    raise DataError(f"{source} has the parts {', '.join(found)}. Name one with --split.")


def _kind(feature: Any) -> str:
    import datasets

    if isinstance(feature, datasets.Image):
        return "picture"
    if isinstance(feature, datasets.ClassLabel):
        return "class"
    if isinstance(feature, datasets.Value):
        kind = np.dtype(feature.dtype).kind if feature.dtype.startswith(("int", "uint", "float")) else ""
        return "number" if kind else "text"
    return "array" if hasattr(feature, "feature") or hasattr(feature, "shape") else "other"


def _labels(
    part: Any, columns: Columns, source: str, reading: Reading
) -> tuple[NDArray[np.int64], tuple[Attribute, ...]]:
    """Labels of all rows: only the columns that hold them are read."""
    import datasets

    if not columns.labels:
        n_rows = len(part) if hasattr(part, "__len__") else sum(1 for _ in part)
        return np.empty((n_rows, 0), dtype=np.int64), ()
    table = part.select_columns(list(columns.labels))
    found: dict[str, list[Any]] = {name: [] for name in columns.labels}
    for batch in table.iter(4096):
        for name, values in found.items():
            values.extend(batch[name])
    n_rows = len(found[columns.labels[0]])
    codes, attributes = [], []
    for name, values in found.items():
        feature = part.features[name]
        if isinstance(feature, datasets.ClassLabel):
            codes.append(np.array([-1 if value is None else value for value in values], dtype=np.int64)[:, None])
            attributes.append(Attribute(name, np.array(feature.names)))
            continue
        column, made = encode_labels(np.array(values, dtype=object), n_rows, f"{source}, column {name}", reading)
        if made:
            codes.append(column)
            attributes.append(Attribute(name, made[0].classes))
    return np.concatenate(codes, axis=1) if codes else np.empty((n_rows, 0), dtype=np.int64), tuple(attributes)


class _Pictures(Sequence[Encoded]):
    """The encoded pictures of a data set, read a slice at a time."""

    def __init__(self, part: Any, column: str) -> None:
        import datasets

        self._part = part.select_columns([column]).cast_column(column, datasets.Image(decode=False))
        self._column = column

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: Any) -> Any:
        found = self._part[index][self._column]
        return [encoded(each) for each in found] if isinstance(index, slice) else encoded(found)


def encoded(picture: dict[str, Any]) -> Encoded:
    """A picture as the library stores it: its content, or the path of its file."""
    content = picture["bytes"]
    return content if content is not None else Path(picture["path"])


@dataclass(frozen=True)
class _NumberRows:
    """Rows of numbers that the library maps from its own files."""

    part: Any
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: RowNumbers) -> Array:
        found = self.part[rows]
        if len(self.columns) == 1 and len(self.shape) > 1 and np.ndim(found[self.columns[0]]) > 1:
            return np.asarray(found[self.columns[0]], dtype=self.dtype)
        return np.stack([np.asarray(found[name], dtype=self.dtype) for name in self.columns], axis=1)


def _numbers(part: Any, columns: tuple[str, ...]) -> _NumberRows:
    rows = part.select_columns(list(columns)).with_format("numpy")
    first = np.asarray(rows[0][columns[0]])
    if first.ndim:
        dtype = np.dtype(np.uint8 if first.dtype == np.uint8 else np.float32)
        return _NumberRows(rows, columns, (len(part), *first.shape), dtype)
    return _NumberRows(rows, columns, (len(part), len(columns)), np.dtype(np.float32))


def _streamed(part: Any, columns: Columns, source: str, reading: Reading) -> Dataset:
    if columns.picture is None:
        raise DataError(f"{source}: --streaming is for pictures; a table of numbers is mapped from its files as it is.")
    if reading.max_rows is not None:
        part = part.take(reading.max_rows)
    codes, attributes = _labels(part, columns, source, reading)
    return Dataset(Stream(part, columns.picture, reading, len(codes)), codes, attributes, Numbered(range(len(codes))))
