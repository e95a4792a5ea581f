"""CSV and Parquet: manifests of pictures, tables of features, and files of labels."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from partedvae import PartedVAE
from partedvae.data import DataError, load
from partedvae.data import cache as cache_module
from partedvae.data import columns as columns_module
from partedvae.data.describe import describe
from partedvae.data.lazy import in_memory
from test_cli import QUICK, call

FEW = settings(max_examples=60, deadline=None, derandomize=True)


def csv_file(place: Path, content: str | bytes, name: str = "data.csv") -> str:
    path = place / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def parquet_file(place: Path, name: str = "data.parquet", **of_columns: Any) -> str:
    parquet.write_table(pa.table(of_columns), place / name)
    return str(place / name)


def pictures(folder: Path, *names: str, side: int = 8) -> None:
    """Grey pictures, each of its own."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side), 10 * number).save(folder / name)


# ------------------------------------------------------------------------------------------------ tables of features


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_may_be_divided_by_commas_semicolons_or_tabs_with_or_without_a_byte_order_mark(
    tmp_path: Path, mark: str, start: bytes
) -> None:
    lines = (("width", '"height, of all"', "kind"), ("1.5", "-2", '"é, b; c\td"'), ("3", "4e-1", ""), ("0", "1", " x "))
    content = "\r\n".join(mark.join(cells) for cells in lines)
    data = load(csv_file(tmp_path, start + content.encode()))
    np.testing.assert_allclose(data.array, np.array([[1.5, -2], [3, 0.4], [0, 1]]))
    assert data.x.dtype == np.float32
    assert data.feature_names == ("width", "height, of all")
    assert [attribute.name for attribute in data.attributes] == ["kind"]
    assert data.y.tolist() == ["é, b; c\td", None, "x"]
    assert list(data.ids) == ["0", "1", "2"]


def test_columns_are_features_or_labels_by_what_they_hold_or_as_they_are_named(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "id,a,y,b,word,path\nr1,1,0,2,u,p\nr2,3,1,4,,q\nr3,5,,6,v,r\n")
    inferred = load(csv_file(tmp_path, "id,a,y,b,word\nr1,1,0,2,u\nr2,3,1,4,\nr3,5,,6,v\n", "plain.csv"))
    assert inferred.feature_names == ("a", "b")
    assert inferred.y.tolist() == [[0, "u"], [1, None], [None, "v"]]
    assert inferred.ids == ("r1", "r2", "r3")
    # Who names features has no manifest, and path is neither a feature nor a label.
    named = load(source, features=("b", "a"))
    assert named.feature_names == ("b", "a")
    np.testing.assert_array_equal(named.array, [[2, 1], [4, 3], [6, 5]])
    assert [attribute.name for attribute in named.attributes] == ["y", "word"]
    assert load(source, features=("b",), labels=("word",)).y.tolist() == ["u", None, "v"]
    assert load(str(tmp_path / "plain.csv"), labels=("y", "word")).feature_names == ("a", "b")
    assert load(str(tmp_path / "plain.csv"), features=("a",), labels=()).attributes == ()


def test_labels_are_whole_numbers_if_all_are_and_otherwise_what_is_written(tmp_path: Path) -> None:
    def labels(*cells: str, **options: Any) -> list[Any]:
        rows = "".join(f"{row},{cell}\n" for row, cell in enumerate(cells))
        return load(csv_file(tmp_path, "x,y\n" + rows), **options).y.tolist()  # type: ignore[no-any-return]

    assert labels("3", "", "-2", "-1") == [3, None, -2, None]  # −1 means unlabelled everywhere
    assert labels("3", "b") == ["3", "b"]
    assert labels("007", "7") == ["007", "7"]
    assert labels("1_0", "1_1") == ["1_0", "1_1"]
    assert labels("1.0", "2.0") == [1.0, 2.0]
    assert labels("3", "?", "n/a", "4", missing=("?", "n/a")) == [3, None, None, 4]
    assert labels("", "") == [None, None]


def test_a_column_of_different_words_in_every_row_is_no_label(tmp_path: Path) -> None:
    rows = "".join(f"{row},w{row},{'ab'[row % 2]}\n" for row in range(100))
    source = csv_file(tmp_path, "x,name,kind\n" + rows)
    with pytest.raises(DataError, match=r"data\.csv: column name has 100 different values.*--label-columns"):
        load(source)
    assert load(source, labels=("kind",), features=("x",)).y[:2].tolist() == ["a", "b"]


def test_some_rows_of_a_table_are_the_same_ones_with_their_labels(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "x,y\n" + "".join(f"{row},{row % 3}\n" for row in range(30)))
    few = load(source, max_rows=7)
    assert len(few) == 7
    assert [int(i) % 3 for i in few.ids] == few.y.tolist()
    assert few.array[:, 0].tolist() == [float(i) for i in few.ids]


def test_values_that_are_not_finite_are_read_and_refused_by_fit(tmp_path: Path) -> None:
    for bad in ("nan", "-inf", "1e300"):  # the last is none of float32
        data = load(csv_file(tmp_path, f"a,b,y\n1,2,u\n3,{bad},v\n5,6,u\n"))
        with pytest.raises(ValueError, match="at row 1, column b"):
            PartedVAE().fit(data)


@pytest.mark.parametrize(
    ("header", "told"), [("5.1,0.2,3.5,y", True), ("400,450.5,500,y", False), ("a,3.5,0.2,y", False)]
)
def test_a_table_without_names_is_pointed_out(header: str, told: bool, tmp_path: Path) -> None:
    source = csv_file(tmp_path, f"{header}\n1,2,3,u\n3,4,5,v\n")
    said = [line for line in describe(source, load(source)) if "called by numbers" in line]
    assert len(said) == told


BAD_TABLES = {
    "empty": (b"", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "no rows": (b"a,b\n", "has no rows"),
    "a short row": (b"a,b\n1,2\n3\n5,6\n", "line 3: has 1 cells, the header 2"),
    "a long row after one of two lines": (b'a,b\n"1\n1",2\n3,4,5\n', "line 4: has 3 cells, the header 2"),
    "a name twice": (b"a,b,a\n1,2,3\n", "column 'a' is there twice"),
    "a column without a name": (b",a\n0,1\n", "column 1 has no name.*index=False"),
    "latin-1": ("a,y\n1,b\n2,é\n".encode("latin-1"), "line 3, is not UTF-8"),
    "utf-16": ("a,y\n1,b\n".encode("utf-16"), "line 1, is not UTF-8"),
    "no numbers": (b"a,b\nx,y\n", "neither a column path.*nor a column of numbers.*it has a, b"),
    "a blank feature": (b"a,b\n1,2\n3,\n", "line 3: column b is blank"),
    "labels that are no classes": (b"a,y\n1,0.5\n2,1.5\n", "column y: .*continuous.*0.5"),
    "a huge cell": (b"a,y\n1," + b"x" * 200_000, "cannot be read: field larger"),
}


@pytest.mark.parametrize(("content", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_csv_is_refused_with_its_name_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"data\.csv.*{message}"):
        load(csv_file(tmp_path, content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ("colour",)}, "has no column colour, of labels; it has a, b, word"),
        ({"features": ("a", "c")}, "has no column c, of features"),
        ({"features": ("a", "word")}, "line 2: column word holds 'x', which is no number"),
        ({"labels": ("a",)}, "column word holds text.*--feature-columns"),
        ({"features": ("a", "a")}, "column a is named twice"),
        ({"features": ("a",), "labels": ("a",)}, "column a is named twice"),
        ({"size": (8, 8)}, "--size: only pictures"),
        ({"split": "train"}, "--split: does not apply"),
    ],
)
def test_columns_that_cannot_be_what_they_are_named_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(csv_file(tmp_path, "a,b,word\n1,2,x\n3,4,z\n"), **options)


# ----------------------------------------------------------------------------------------------------------- Parquet


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
    monkeypatch.setattr(columns_module, "_ROWS_AT_ONCE", 3)
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

    monkeypatch.setattr(columns_module.ParquetTable, "_parts", never)
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


# --------------------------------------------------------------------------------------------------------- manifests


def manifest(place: Path, kind: str, **of_columns: list[str | None]) -> str:
    """A manifest as a CSV or as Parquet."""
    if kind == "parquet":
        return parquet_file(place, "list.parquet", **of_columns)
    rows = [of_columns.keys(), *zip(*of_columns.values(), strict=True)]
    return csv_file(place, "\n".join(",".join(cell or "" for cell in row) for row in rows), "list.csv")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_has_pictures_with_attributes_that_may_be_missing_one_by_one(tmp_path: Path, kind: str) -> None:
    pictures(tmp_path, "a.png", "deep/er/b.png", "ç d.png", "e.png")
    source = manifest(
        tmp_path,
        kind,
        path=["e.png", "a.png", "deep/er/b.png", "ç d.png"],
        colour=["red", None, "blue", None],
        size=[None, "big", "small", None],
    )
    data = load(source)
    assert data.y.tolist() == [["red", None], [None, "big"], ["blue", "small"], [None, None]]
    assert data.ids == ("e.png", "a.png", "deep/er/b.png", "ç d.png")
    assert data.array[:, 0, 0].tolist() == [30, 0, 10, 20]
    assert load(source, labels=("size",)).y.tolist() == [None, "big", "small", None]
    assert load(source, size=(4, 6)).x.shape == (4, 4, 6)
    few = load(source, max_rows=2)
    assert few.array[:, 0, 0].tolist() == [{"e": 30, "a": 0, "d": 10, "ç": 20}[name[0]] for name in few.ids]


def test_the_paths_of_a_manifest_start_where_it_is_or_at_the_data_dir(tmp_path: Path) -> None:
    pictures(tmp_path / "all", "1.png", "2.png")
    (tmp_path / "lists").mkdir()
    source = csv_file(tmp_path / "lists", f"path,kind\n1.png,a\n{tmp_path}/all/2.png,b\n")
    with pytest.raises(DataError, match=r"line 2: there is no file .*lists/1\.png"):
        load(csv_file(tmp_path / "lists", "path,kind\n1.png,a\n", "other.csv"))
    data = load(source, data_dir=str(tmp_path / "all"))  # which an absolute path may lie in as well
    assert data.y.tolist() == ["a", "b"]


BAD_MANIFESTS = {
    "absent files": ("path,k\na.png,x\nb.png,y\nc.png,y\n", r"line 3: there is no file .*b\.png.*1 more.*--skip-bad"),
    "a path twice": ("path,k\na.png,x\n\na.png,y\n", r"line 4: a\.png is at line 2 already"),
    "a blank path": ("path,k\na.png,x\n,y\n", "line 3: path is blank"),
    "a path that leaves": ("path,k\n../data/a.png,x\n../secret.png,y\n", r"line 3: \.\./secret\.png leads out of"),
    "an absolute path": ("path,k\n/etc/hostname,x\n", "line 2: /etc/hostname leads out of"),
    "a link that leaves": ("path,k\nlink.png,x\n", r"line 2: link\.png leads out of.*--data-dir"),
    "a link to itself": ("path,k\nloop.png,x\n", r"line 2: 'loop\.png' is no path"),
    "a NUL": ("path,k\na\0.png,x\n", "line 2: .*is no path"),
    "a name too long": (f"path,k\n{'a' * 300}.png,x\n", "line 2: there is no file"),
    "a folder": ("path,k\nsub,x\n", "line 2: there is no file"),
    "no picture": ("path,k\na.png,x\nnotes.txt,y\n", r"notes\.txt is not a picture.*--skip-bad"),
    "labels that are no classes": ("path,k\na.png,0.5\n", "column k: .*continuous"),
    "an unknown column": ("path\na.png\n", "has no column k, of labels"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
@pytest.mark.parametrize("cache", [True, False])
def test_a_bad_manifest_is_refused_with_the_line(tmp_path: Path, content: str, message: str, cache: bool) -> None:
    place = tmp_path / "data"
    pictures(place, "a.png", "../secret.png")
    (place / "notes.txt").write_text("no picture")
    (place / "sub").mkdir()
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    (place / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataError, match=message):
        load(csv_file(place, content), labels=("k",), cache=cache)


@pytest.mark.parametrize("cache", [True, False])
def test_what_cannot_be_read_of_a_manifest_is_skipped_on_request_and_listed(tmp_path: Path, cache: bool) -> None:
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "a.png").read_bytes()[:45])
    source = csv_file(tmp_path, f"path,k\nbad.png,x\na.png,y\nnone.png,y\n{'n' * 300}.png,x\nb.png,x\n")
    data = load(source, skip_bad=True, cache=cache)
    assert data.ids == ("a.png", "b.png")
    assert data.y.tolist() == ["y", "x"]
    assert [bad.id for bad in data.skipped] == ["bad.png", "none.png", "n" * 300 + ".png"]
    assert "bad.png cannot be read" in data.skipped[0].reason
    assert "none.png cannot be read: No such file" in data.skipped[1].reason
    # What was skipped may come later, and then is read.
    pictures(tmp_path, "none.png")
    assert len(load(source, skip_bad=True, cache=cache)) == 3
    with pytest.raises(DataError, match="leads out of"):  # which is no damage
        load(csv_file(tmp_path, "path\na.png\n../x.png\n", "out.csv"), skip_bad=True, cache=cache)


def test_a_decompression_bomb_in_a_manifest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, "a.png")
    pictures(tmp_path, "bomb.png", side=40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    source = csv_file(tmp_path, "path,k\na.png,x\nbomb.png,y\n")
    with pytest.raises(DataError, match=r"bomb\.png cannot be read: .*exceeds limit"):
        load(source)
    assert load(source, skip_bad=True).ids == ("a.png",)


# ----------------------------------------------------------------------------------------------------- files of labels


def test_a_label_file_says_by_id_or_path_whose_labels_it_has(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "cat/1.png", "dog/2.png", "dog/3.png")
    labels = csv_file(tmp_path, "colour,path,size\nred,dog/3.png,\n,cat/1.png,2\n", "labels.csv")
    data = load(str(tmp_path / "photos"), label_file=labels)
    assert dict(zip(data.ids, data.y.tolist(), strict=True)) == {
        "cat/1.png": [None, 2], "dog/2.png": [None, None], "dog/3.png": ["red", None],
    }  # fmt: skip
    only = load(str(tmp_path / "photos"), label_file=labels, labels=("colour",))
    assert only.y.tolist() == [None, None, "red"]
    source = csv_file(tmp_path, "a,y\n1,u\n2,v\n3,w\n")
    by_row = parquet_file(tmp_path, "labels.parquet", id=[2, 0], k=["p", "q"])
    data = load(source, label_file=by_row)
    assert data.y.tolist() == ["q", None, "p"]
    assert [attribute.name for attribute in data.attributes] == ["k"]
    few = load(csv_file(tmp_path, "x\n" + "1\n" * 9, "nine.csv"), label_file=by_row, max_rows=4)
    assert few.y.tolist() == [{"0": "q", "2": "p"}.get(name) for name in few.ids]


def test_a_label_file_may_name_pictures_that_were_skipped(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "a/1.png", "a/2.png")
    (tmp_path / "photos" / "a" / "2.png").write_bytes(b"")
    labels = csv_file(tmp_path, "path,k\na/1.png,x\na/2.png,y\n", "labels.csv")
    assert load(str(tmp_path / "photos"), label_file=labels, skip_bad=True).y.tolist() == ["x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,k\n0,a\n9,b\n", r"labels\.csv, line 3: the data has no '9'; its first is '0'"),
        ("id,k\n0,a\n1,b\n0,b\n", r"labels\.csv, line 4: '0' is at line 2 already"),
        ("name,k\n0,a\n", r"labels\.csv: has no column id or path; it has name, k"),
        ("id\n0\n", r"labels\.csv: has no column of labels"),
        ("id,k\n", r"labels\.csv has no rows"),
        ("id,k\n0,0.5\n", r"labels\.csv: column k: .*continuous"),
        ("", r"labels\.csv is empty"),
    ],
)
def test_a_bad_label_file_is_refused_with_the_line(tmp_path: Path, content: str, message: str) -> None:
    source = csv_file(tmp_path, "a,y\n1,u\n2,v\n")
    with pytest.raises(DataError, match=message):
        load(source, label_file=csv_file(tmp_path, content, "labels.csv"))


def test_a_label_file_that_is_missing_or_cannot_tell_rows_apart_is_refused(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "id,a\nr,1\nr,2\n")
    with pytest.raises(DataError, match=r"--label-file .*none\.csv: there is no such file"):
        load(source, label_file=str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="two rows of the data are called 'r'"):
        load(source, label_file=csv_file(tmp_path, "id,k\nr,x\n", "labels.csv"))
    with pytest.raises(DataError, match="has no column colour, of labels"):
        load(source, label_file=str(tmp_path / "labels.csv"), labels=("colour",))


# --------------------------------------------------------------------------------------------------- whatever is there


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


TEXTS = st.text(string.ascii_letters + string.digits + " ,;\t\"'é\n.-_", max_size=6)
NAMES = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=4), min_size=2, max_size=5, unique=True)


def written(cells: Sequence[Sequence[str]], mark: str) -> bytes:
    """A CSV with every cell in quotes."""
    return "\n".join(mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells).encode()


@FEW
@given(rows=st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=6), mark=st.sampled_from(",;\t"))
def test_any_csv_is_read_or_refused(place: Path, rows: list[list[str]], mark: str) -> None:
    _read_or_refuse(csv_file(place, written(rows, mark)))


SPLICED = st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=3)), min_size=1, max_size=3)


def spliced(content: bytes, splices: Sequence[tuple[int, bytes]], cut: int | None) -> bytes:
    """A file that was damaged: bytes over its own, or its end lost."""
    damaged = bytearray(content)
    for at, new in splices:
        at %= len(damaged)
        damaged[at : at + len(new)] = new
    return bytes(damaged[:cut])


@FEW
@given(splices=SPLICED, cut=st.none() | st.integers(0, 60))
def test_a_damaged_csv_is_read_or_refused(place: Path, splices: list[tuple[int, bytes]], cut: int | None) -> None:
    _read_or_refuse(csv_file(place, spliced('a,b,word,y\n1,2.5,"é, x",1\n3,4,,2\n-5,6e3,z,\n'.encode(), splices, cut)))


@FEW
@given(splices=SPLICED, end=st.booleans(), cut=st.none() | st.integers(0, 2000), lists=st.booleans())
def test_a_damaged_parquet_is_read_or_refused(
    place: Path, splices: list[tuple[int, bytes]], end: bool, cut: int | None, lists: bool
) -> None:
    words = pa.array(["u", None, "v", "u"]).dictionary_encode()
    first = [[1, 2], [3, 4], [5, 6], [7, 8]] if lists else [1.0, 2.0, 3.0, 4.0]
    path = Path(parquet_file(place, "whole.parquet", a=first, word=words, y=[1, 2, 1, None]))
    content = path.read_bytes()
    at_end = [(len(content) - 1 - at, new) for at, new in splices]  # the footer, which says what is where
    (place / "damaged.parquet").write_bytes(spliced(content, at_end if end else splices, cut))
    _read_or_refuse(str(place / "damaged.parquet"))


def _read_or_refuse(source: str) -> None:
    try:
        data = load(source)
    except DataError as error:
        assert Path(source).name in str(error)  # noqa: PT017  # may be raised, or not
        return
    assert len(data.array) == len(data.y) == len(data)


@FEW
@given(data=st.data(), names=NAMES, n_rows=st.integers(1, 6))
def test_a_table_that_is_written_is_read_as_it_was(
    place: Path, data: st.DataObject, names: list[str], n_rows: int
) -> None:
    numbers = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=n_rows, max_size=n_rows)
    clean = TEXTS.map(str.strip).filter(lambda text: text != "-1" and not _is_float(text))
    words = st.lists(clean | st.none() | st.just("word"), min_size=n_rows, max_size=n_rows)
    wholes = st.lists(st.integers(0, 9) | st.none(), min_size=n_rows, max_size=n_rows)
    names = [f"{name}_" for name in names]  # none of those that mean something
    x = np.array([data.draw(numbers) for _ in names[:-1]], dtype=np.float32).T
    text, whole = data.draw(words), data.draw(wholes)
    cells = [[*names[:-1], "text", "y"]]
    for row in range(n_rows):
        values = [repr(float(value)) for value in x[row]]
        cells.append([*values, text[row] or "", "" if whole[row] is None else str(whole[row])])
    both: list[list[Any]] = [[label or None for label in text], whole]
    expected = [column for column in both if any(label is not None for label in column)]
    csv = csv_file(place, written(cells, data.draw(st.sampled_from(",;\t"))), "whole.csv")
    columns = {name: x[:, place] for place, name in enumerate(names[:-1])}
    columns |= {"text": pa.array(text, pa.string()), "y": pa.array(whole, pa.int64())}
    for source in (csv, parquet_file(place, "round.parquet", **columns)):
        found = load(source)
        np.testing.assert_array_equal(found.array, x)
        assert found.feature_names == tuple(names[:-1])
        table = found.y.reshape(n_rows, -1)[:, : len(found.attributes)]
        assert [column.tolist() for column in table.T] == expected


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# -------------------------------------------------------------------------------------------------- the command line


def test_the_command_line_describes_every_kind_of_table(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png", "3.png")
    sources = {
        csv_file(tmp_path, "a,b,y\n1,nan,u\n3,4,v\n1,nan,v\n"): ("2 features", "u 1, v 2", "2 values are NaN", "0 = 2"),
        parquet_file(tmp_path, v=[[1, 2], [3, 4]], y=["p", "q"]): ("2 features", "p 1, q 1"),
        csv_file(tmp_path, "path,k\n1.png,a\n2.png,b\n3.png,\n", "list.csv"): ("pictures of 8×8", "1 unlabelled"),
    }
    for source, parts in sources.items():
        done = call("data", "describe", source)
        assert done.returncode == 0, done.stderr
        for part in parts:
            assert part in done.stdout.replace("different labels: 0, 2", "0 = 2")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"a,y\n1,u\n2\n", (), "line 3: has 1 cells"),
        ("a,y\n1,é\n".encode("latin-1"), (), "line 2, is not UTF-8"),
        (b"a,y\n1,\n2,\n", (), "has no labels"),
        (b"a,y\n1,u\nnan,v\n", (), "NaN at row 1, column a"),
        (b"a,y\n1,u\n2,v\n", ("--label-columns", "z"), "no column z"),
        (b"path,y\n../x.png,u\n", (), "leads out of"),
        (b"path,y\nx.png,u\n", (), "there is no file"),
        (b"a,y\n1,u\n2,v\n", ("--label-file", "labels.npy"), "there is no such file"),
    ],
)
def test_training_on_a_bad_table_is_one_line_and_leaves_nothing(
    tmp_path: Path, content: bytes, options: tuple[str, ...], message: str
) -> None:
    source = csv_file(tmp_path, content)
    done = call("train", source, "--out", tmp_path / "run", *options, *QUICK)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_a_stray_word_among_measurements_makes_no_labels_of_them(tmp_path: Path) -> None:
    cells = [str(value) for value in np.random.default_rng(0).normal(size=60).round(3)]
    cells[7] = "NA"
    rows = [f"{a},{k}" for a, k in zip(cells, ["cat", "dog"] * 30, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["hue,animal", *rows]))
    for options in ({}, {"labels": ("animal",)}):
        with pytest.raises(DataError, match=r"line 9: column hue holds 'NA', which is not read as a number"):
            load(str(tmp_path / "t.csv"), **options)  # type: ignore[arg-type]  # options of Reading
    for style in ("{},5", "{}.000,5", "{},000.5"):
        cells = [f'"{style.format(value)}"' for value in range(60)]
        rows = [f"{a},{a},{k}" for a, k in zip(cells, ["cat", "dog"] * 30, strict=True)]
        (tmp_path / "t.csv").write_text("\n".join(["width,height,animal", *rows]))
        with pytest.raises(DataError, match=r"line 2: column width holds '0[.,].*', which is not read as a number"):
            load(str(tmp_path / "t.csv"))
    words = ["1", "2"] * 29 + ["other", "1"]  # few values: classes that some call by numbers
    (tmp_path / "t.csv").write_text("\n".join(["x,kind", *[f"{i},{word}" for i, word in enumerate(words)]]))
    assert sorted(map(str, load(str(tmp_path / "t.csv")).attributes[0].classes)) == ["1", "2", "other"]


def test_a_class_that_other_programs_write_for_a_missing_one_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,kind\n1,NA\n2,cat\n3,dog\n")
    lines = list(describe("t.csv", load(str(tmp_path / "t.csv"))))
    assert any(line.startswith("problem: kind has a class 'NA'") and "--missing NA" in line for line in lines)
    assert not any("NA" in line for line in describe("t.csv", load(str(tmp_path / "t.csv"), missing=("NA",))))


@pytest.mark.parametrize(
    ("rows", "line"),
    [('1,x\n2,"y\n3,x\n4,y\n', 3), ('1,"x\n', 2), ('1,"x" and more\n2,y\n', 2), ('1,"x\ny"\n2,"z\n', 4)],
)
def test_a_quote_that_is_left_open_does_not_swallow_the_rest(rows: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"data\.csv, line {line} cannot be read: .* Is a quote"):
        load(csv_file(tmp_path, "a,class\n" + rows))
