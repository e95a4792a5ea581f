"""Data sets of Hugging Face's library: by name, from a folder, or from Parquet files with pictures in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.arrays import encode_labels
from partedvae.data.columns import LABEL_NAMES
from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.decoding import Encoded, decode_encoded
from partedvae.data.extras import require
from partedvae.data.inside import inside
from partedvae.data.lazy import RowNumbers
from partedvae.data.parquet_table import PARQUET
from partedvae.data.reading import Reading
from partedvae.data.stream import IN_THE_TABLE, Stream
from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING, Attribute

Array = NDArray[Any]

_MARKS = ("dataset_dict.json", "dataset_info.json", "state.json")
_WIDE = {"float64", "int64", "uint64", "int32", "uint32"}
_PLACES = (".", "data")  # of Parquet files in a folder; class folders may hold a million pictures, so are not searched


@dataclass(frozen=True)
class Columns:
    """Which columns of a data set are what: one of pictures, or those of numbers; and those of labels."""

    picture: str | None
    numbers: tuple[str, ...]
    labels: tuple[str, ...]


def is_hub(path: Path) -> bool:
    """Whether a folder or file is a data set of that library: as it saves them, or Parquet (a file, with pictures)."""
    if path.is_file():
        return path.suffix.lower() in PARQUET and _has_pictures(path)
    return any((path / mark).exists() for mark in _MARKS) or any(
        any((path / place).glob("*.parquet")) for place in _PLACES
    )


def _has_pictures(path: Path) -> bool:
    """Whether a Parquet file has a column of encoded pictures, as that library writes them."""
    require("pyarrow", "tables", f"{path} is a Parquet file")
    from pyarrow import ArrowException, parquet, types

    try:
        schema = parquet.read_schema(path)
    except (OSError, ValueError, ArrowException):
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
    if not source:
        raise DataError("hf: names no data set, as hf:NAME does.")
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
    places = [f"{source}, row {row}" for row in rows]
    called = f"hub {source} {reading.split} {columns.picture}"
    pictures = _Pictures(part, columns.picture, source)
    # The library's own fingerprint is of all that the rows were made from.
    decoded = decode_encoded(pictures, places, reading, called, lambda: str(part._fingerprint))
    return Dataset(
        decoded.x,
        codes[decoded.kept],
        attributes,
        Numbered(rows[decoded.kept]),
        skipped=decoded.skipped,
        notes=decoded.notes,
    )


def choose_columns(features: Any, source: str, reading: Reading) -> Columns:
    """The columns of pictures or numbers, and of labels, by the types that the data set declares."""
    kinds = {name: _kind(feature) for name, feature in features.items()}
    for named, what in ((reading.labels, "labels"), (reading.features, "features")):
        unknown = [name for name in named or () if name not in kinds]
        if unknown:
            raise DataError(f"{source} has no column {unknown[0]}, of {what}; it has {', '.join(kinds)}.")
    labels = reading.labels_among(list(kinds))
    if labels is None:
        rest = {name: kind for name, kind in kinds.items() if name not in (reading.features or ())}
        labels = tuple(name for name, kind in rest.items() if kind == "class")
        labels = labels or tuple(n for n, k in rest.items() if n.lower() in LABEL_NAMES and k in ("text", "number"))
    offered = [name for name in reading.features or kinds if name not in labels]
    found = {kind: [name for name in offered if kinds[name] == kind] for kind in ("picture", "array", "number")}
    kind = next((kind for kind, names in found.items() if names), None)
    if kind is None:
        raise DataError(f"{source} has no column of pictures or numbers; it has {', '.join(kinds)}.")
    chosen = found[kind]
    if reading.features is not None and len(chosen) < len(reading.features):
        other = next(name for name in reading.features if name not in chosen)
        raise DataError(f"--feature-columns {other}: cannot be read beside {chosen[0]}, since it is no {kind}.")
    if kind != "number" and len(chosen) > 1:
        raise DataError(f"{source} has {kind}s in columns {', '.join(chosen)}. Name one with --feature-columns.")
    return Columns(chosen[0], (), labels) if kind == "picture" else Columns(None, tuple(chosen), labels)


def _opened(source: str, reading: Reading) -> Any:
    import datasets

    path = Path(source)
    called = source if path.exists() else f"hf:{source}"
    if reading.streaming and not reading.download and not path.exists():
        raise DataError(f"{called}: streaming reads it over the network as it comes; that needs --download.")
    try:
        with _only_asked_for(reading.download):
            if path.is_dir() and any((path / mark).exists() for mark in _MARKS):
                found = datasets.load_from_disk(source)
                return _as_stream(found) if reading.streaming else found
            if path.is_file():
                return datasets.load_dataset("parquet", data_files=source, streaming=reading.streaming)
            return datasets.load_dataset(source, streaming=reading.streaming)
    except Exception as error:  # the library raises errors of many kinds, of other libraries too
        if called != source and not reading.download and isinstance(error, ConnectionError | FileNotFoundError):
            raise DataError(f"{called} is not on this machine; --download fetches it.") from None
        reason = " ".join(str(error).split())
        raise DataError(f"{called} cannot be read: {type(error).__name__}: {reason}") from None


@contextmanager
def _only_asked_for(download: bool) -> Iterator[None]:
    """The library without its bars and remarks, and unless ``download`` without the network."""
    import datasets

    bars, level = datasets.is_progress_bar_enabled(), datasets.logging.get_verbosity()
    offline = datasets.config.HF_HUB_OFFLINE
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.config.HF_HUB_OFFLINE = offline or not download
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = offline
        datasets.logging.set_verbosity(level)
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

    if isinstance(feature, datasets.Image) or (isinstance(feature, dict) and "bytes" in feature):
        return "picture"  # the latter in a Parquet file that another library wrote
    if isinstance(feature, datasets.ClassLabel):
        return "class"
    numeric = _element(feature).startswith(("int", "uint", "float"))
    if isinstance(feature, datasets.Value):
        return "number" if numeric else "text"
    return "array" if numeric else "other"


def _element(feature: Any) -> str:
    """The type of the numbers of a column, or of the arrays in it; blank if it has none."""
    import datasets

    while hasattr(feature, "feature"):
        feature = feature.feature
    numeric = isinstance(feature, datasets.Value) or hasattr(feature, "shape")
    return str(feature.dtype) if numeric else ""


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
            column, attribute = _classes(values, name, feature.names, reading)
            codes.append(column)
            attributes.append(attribute)
            continue
        column, made = encode_labels(np.array(values, dtype=object), n_rows, f"{source}, column {name}", reading)
        if made:
            codes.append(column)
            attributes.append(Attribute(name, made[0].classes))
    return np.concatenate(codes, axis=1) if codes else np.empty((n_rows, 0), dtype=np.int64), tuple(attributes)


def _classes(
    values: list[Any], name: str, classes: Sequence[str], reading: Reading
) -> tuple[NDArray[np.int64], Attribute]:
    """Labels that are numbers of classes already, null or −1 where missing."""
    kept = [number for number, label in enumerate(classes) if label not in reading.missing]
    numbers = np.full(len(classes) + 1, MISSING, dtype=np.int64)  # −1 finds the last
    numbers[kept] = np.arange(len(kept))
    given = np.array([MISSING if value is None else value for value in values], dtype=np.int64)
    return numbers[given][:, None], Attribute(name, np.array(classes)[kept])


class _Pictures(Sequence[Encoded]):
    """The encoded pictures of a data set, read a slice at a time."""

    def __init__(self, part: Any, column: str, source: str) -> None:
        import datasets

        self._source, self._root = source, _folder_of(source)
        self._part = part.select_columns([column]).cast_column(column, datasets.Image(decode=False))
        self._column = column

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: Any) -> Any:
        found = self._part[index][self._column]
        return [self._encoded(each) for each in found] if isinstance(index, slice) else self._encoded(found)

    def _encoded(self, picture: dict[str, Any] | None) -> Encoded:
        """A picture as the library stores it: its content, or the path of its file; nothing where there is none."""
        if picture is None:
            return b""
        content: bytes | None = picture["bytes"]
        path: str | None = picture.get("path")
        if content is not None or path is None:
            return content or b""
        return Path(path) if self._root is None else inside(self._root, path, self._source, IN_THE_TABLE)


def _folder_of(source: str) -> Path | None:
    """The folder in which a data set of this machine has its files; ``None`` for one by name, whose places are known.

    What stands in a table that someone has sent must not make us open other files, nor ask the network for any.
    """
    path = Path(source)
    return path if path.is_dir() else path.parent if path.is_file() else None


@dataclass(frozen=True)
class _NumberRows:
    """Rows of numbers, or of arrays of them, that the library maps from its own files."""

    part: Any
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: RowNumbers) -> Array:
        found = self.part[rows]
        try:
            columns = [np.asarray(found[name], dtype=self.dtype) for name in self.columns]
            return np.stack(columns, axis=1).reshape(len(rows), *self.shape[1:])
        except ValueError:
            raise DataError(f"The arrays of column {self.columns[0]} have different sizes.") from None


def _numbers(part: Any, columns: tuple[str, ...]) -> _NumberRows:
    rows = part.select_columns(list(columns)).with_format("numpy")
    shape = np.shape(rows[0][columns[0]]) or (len(columns),)
    # Columns of numbers are features, which are floats whatever they are stored as.
    kinds = {_element(part.features[name]) for name in columns}
    dtype = "uint8" if len(shape) > 1 and "uint8" in kinds else "float32"
    if len(shape) == 1 and kinds & _WIDE:  # whether 32 bits hold them is for fit to see
        dtype = "float64"
    return _NumberRows(rows, columns, (len(part), *shape), np.dtype(dtype))


def _streamed(part: Any, columns: Columns, source: str, reading: Reading) -> Dataset:
    if columns.picture is None:
        raise DataError(f"{source}: --streaming is for pictures; a table of numbers is mapped from its files as it is.")
    if reading.max_rows is not None:
        part = part.take(reading.max_rows)
    codes, attributes = _labels(part, columns, source, reading)
    if not len(codes):
        raise DataError(f"{source} has no rows.")
    stream = Stream(part, columns.picture, reading, len(codes), source, _folder_of(source))
    return Dataset(stream, codes, attributes, Numbered(range(len(codes))))
