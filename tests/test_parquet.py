"""Parquet: features in columns or lists, pictures, and what is mapped from a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from partedvae.data import DataError, load, parquet_table
from partedvae.data import cache as cache_module
from partedvae.data.lazy import in_memory
from table_files import parquet_file


def test_parquet_has_numbers_with_labels_that_may_be_null(tmp_path: Path) -> None:
    source = parquet_file(
        tmp_path,
        id=[10, 11, 12, 13],
        a=pa.array([1, 2, 3, 4], pa.int16()),
        b=[0.5, 1.5, 2.5, 3.5],
        word=pa.array(["u", None, "v", ""]).dictionary_encode(),
        y=pa.array([1, None, 2, 1]),
        none=pa.nulls(4),
        __index_level_0__=[7, 8, 9, 10],
    )
    data = load(source)
    assert data.feature_names == ("a", "b")
    np.testing.assert_array_equal(data.array, [[1, 0.5], [2, 1.5], [3, 2.5], [4, 3.5]])
    assert data.x.dtype == np.float32
    assert data.y.tolist() == [["u", 1], [None, None], ["v", 2], [None, 1]]
    assert data.ids == ("10", "11", "12", "13")
    turned = load(source, features=("b", "a"), labels=("word",), missing=("v",))
    np.testing.assert_array_equal(turned.array, data.array[:, ::-1])
    assert turned.y.tolist() == ["u", None, None, None]


def test_groups_of_rows_may_have_dictionaries_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "parts.parquet"
    schema = pa.schema({"a": pa.float64(), "word": pa.dictionary(pa.int32(), pa.string())})
    with parquet.ParquetWriter(path, schema) as writer:
        for start, words in ((0, ["x", "y"]), (2, ["z", None]), (4, ["y", "x"])):
            columns = [pa.array([start, start + 1.0]), pa.array(words).dictionary_encode()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    data = load(str(path))
    assert data.y.tolist() == ["x", "y", "z", None, "y", "x"]
    assert data.array[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.list_(pa.int32(), 3), pa.large_list(pa.float32())], ids=str
)
def test_a_column_of_lists_is_features(tmp_path: Path, kind: Any) -> None:
    vectors = [[1, 2, 3], [4, 5, 6]]
    data = load(parquet_file(tmp_path, vector=pa.array(vectors, kind), y=["a", "b"]))
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.array, vectors)


def test_lists_of_lists_of_bytes_are_pictures(tmp_path: Path) -> None:
    bytes_ = np.random.default_rng(0).integers(256, size=(5, 8, 9), dtype=np.uint8)
    data = load(
        parquet_file(tmp_path, image=pa.array(bytes_.tolist(), pa.list_(pa.list_(pa.uint8()))), y=list("abaab"))
    )
    assert data.x.dtype == np.uint8
    np.testing.assert_array_equal(data.array, bytes_)
    assert load(str(tmp_path / "data.parquet"), size=(16, 12)).x.shape == (5, 16, 12)
    colours = np.random.default_rng(0).integers(256, size=(3, 8, 9, 3), dtype=np.uint8)
    kind = pa.list_(pa.list_(pa.list_(pa.uint8(), 3)))
    np.testing.assert_array_equal(load(parquet_file(tmp_path, x=pa.array(colours.tolist(), kind))).array, colours)


def test_a_large_parquet_is_mapped_from_a_cached_file_that_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "WORTH_A_FILE", 0)
    monkeypatch.setattr(parquet_table, "_ROWS_AT_ONCE", 3)
    x = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    source = parquet_file(tmp_path, a=x[:, 0], b=x[:, 1], y=list("uv" * 5))
    data = load(source)
    assert not in_memory(data.x)
    np.testing.assert_array_equal(data.array, x)
    assert in_memory(load(source, cache=False).x)
    np.testing.assert_array_equal(load(source, cache=False).array, x)
    np.testing.assert_array_equal(load(source, features=("b", "a")).array, x[:, ::-1])
    few = load(source, max_rows=4)
    np.testing.assert_array_equal(few.array, x[[int(i) for i in few.ids]])
    parquet_file(tmp_path, a=x[:, 1], b=x[:, 0], y=list("uv" * 5))
    np.testing.assert_array_equal(load(source).array, x[:, ::-1])
    np.testing.assert_array_equal(data.array, x)  # who has it mapped keeps what was there

    def never(*_: object) -> Any:
        raise AssertionError("read again")

    monkeypatch.setattr(parquet_table.ParquetTable, "_parts", never)
    np.testing.assert_array_equal(load(source).array, x[:, ::-1])


BAD_PARQUET: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no rows": ({"a": pa.array([], pa.float32())}, {}, "has no rows"),
    "a null feature": ({"a": [1.0, None], "b": [1, 2]}, {}, "row 1: column a is blank"),
    "a null list": ({"v": [[1, 2], None]}, {}, "row 1: column v is blank"),
    "a null in a list": ({"v": [[1, 2], [1, None]]}, {}, "row 1: column v has a blank in its list"),
    "lists of different lengths": ({"v": [[1, 2], [3], [4, 5, 6]]}, {}, "row 1: column v has a list of 1, .* has 2"),
    "ragged pictures": ({"v": [[[1, 2], [3, 4]], [[1, 2], [3]]]}, {}, "row 1: column v has a list of 1"),
    "a ragged first picture": ({"v": [[[1, 2], [3]]]}, {}, "row 0: column v has a list of 1"),
    "a picture without a row": ({"v": [[[1], [2]], [[1], None]]}, {}, "row 1: column v has a list of 0"),
    "empty lists": ({"v": pa.array([[], []], pa.list_(pa.int8()))}, {}, "row 0: column v has an empty list"),
    "lists and numbers": ({"a": [1, 2], "v": [[1], [2]]}, {}, "column v holds lists; it can be the only feature"),
    "text as features": ({"a": ["1", "2"]}, {"features": ("a",)}, "column a holds string, which is no number"),
    "lists of text": ({"a": [1, 2], "v": [["x"], ["y"]]}, {}, "column v holds list.*which is no label"),
    "structures": ({"a": [1, 2], "v": [{"x": 1}, {"x": 2}]}, {}, "column v holds struct.*which is no label"),
    "fractions as labels": ({"a": [1, 2], "y": [0.5, 1.0]}, {}, "column y: .*continuous.*0.5"),
    "bytes as labels": ({"a": [1, 2], "y": [b"x", b"y"]}, {}, "column y: .*bytes"),
    "an unknown column": ({"a": [1, 2]}, {"features": ("b",)}, "has no column b, of features"),
}


@pytest.mark.parametrize(("of_columns", "options", "message"), BAD_PARQUET.values(), ids=BAD_PARQUET)
def test_a_bad_parquet_is_refused_with_its_name_and_row(
    tmp_path: Path, of_columns: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=rf"data\.parquet.*{message}"):
        load(parquet_file(tmp_path, **of_columns), **options)


def test_a_parquet_with_a_name_twice_or_values_beyond_float32(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), path)
    with pytest.raises(DataError, match=r"twice\.parquet: column 'a' is there twice"):
        load(str(path))
    for column in ([1.0, 1e300], [[1.0], [1e300]]):
        assert load(parquet_file(tmp_path, a=column)).array[:, 0].tolist() == [1.0, np.inf]


def test_a_whole_number_names_a_missing_label_that_a_column_with_gaps_has_as_a_float(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.arange(6.0), "kind": [0, 99, 1, None, 0, 1]}).to_parquet(path)
    assert load(str(path), labels=("kind",), missing=("99",)).y.tolist() == [0, None, 1, None, 0, 1]
