"""CSV: which columns are features or labels, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from command_line import QUICK, call
from partedvae.data import DataError, load
from partedvae.data import cache as cache_module
from partedvae.data.describe import describe
from table_files import csv_file


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
        found: list[Any] = load(csv_file(tmp_path, "x,y\n" + rows), **options).y.tolist()
        return found

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


@pytest.mark.parametrize("bad", ["nan", "-inf", "1e300", "1e39"])  # the last two are none of float32
def test_values_that_are_not_finite_are_quoted_with_their_line(bad: str, tmp_path: Path) -> None:
    source = csv_file(tmp_path, f"a,b,y\n1,2,u\n\n3,{bad},v\n5,6,u\n")
    with pytest.raises(DataError, match=f"line 4: column b holds '{bad}', which is no finite number of 32 bits"):
        load(source)
    assert load(source, skip_bad=True).array.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize(
    ("header", "told"), [("7157,348,1017,y", True), ("400,450.5,500,y", False), ("a,3.5,0.2,y", False)]
)
def test_a_table_that_may_have_no_names_is_pointed_out(header: str, told: bool, tmp_path: Path) -> None:
    source = csv_file(tmp_path, f"{header}\n1,2,3,u\n3,4,5,v\n")
    said = [line for line in describe(source, load(source)) if "called by numbers" in line]
    assert len(said) == told


@pytest.mark.parametrize("header", ["5.1,0.2,3.5,y", "5.1,3.5,0.2,u", "1,2,3,v"])
def test_a_table_that_begins_with_a_row_is_refused(header: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: .* look like the first row"):
        load(csv_file(tmp_path, f"{header}\n1,2,3,u\n3,4,5,v\n"))


@pytest.mark.parametrize("first", ["a", "path"])
def test_a_column_that_tells_all_rows_apart_is_no_label_unless_it_is_called_one(first: str, tmp_path: Path) -> None:
    rows = "".join(f"{i},name {i},{'uv'[i % 2]}\n" for i in range(11))
    source = csv_file(tmp_path, f"{first},who,y\n{rows}")
    with pytest.raises(DataError, match=r"column who is another in every row.*--label-columns"):
        load(source)
    if first == "a":
        assert [attribute.name for attribute in load(source, labels=("y", "who")).attributes] == ["y", "who"]
        few = csv_file(tmp_path, f"{first},who,y\n" + "".join(rows.splitlines(keepends=True)[:10]), "few.csv")
        assert len(load(few).attributes) == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_that_32_bits_cannot_tell_apart_are_refused_by_name(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": 1_700_000_000 + np.arange(60), "x": np.arange(60) / 7, "y": np.arange(60) % 2})
    path = tmp_path / f"t.{suffix}"

    def write() -> None:
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)

    write()
    with pytest.raises(DataError, match="column when varies by little more than 32 bits can tell"):
        load(path, labels=("y",))
    assert load(path, labels=("y",), features=("x",)).x.shape == (60, 1)
    frame["when"] -= 1_700_000_000
    write()
    assert len(np.unique(load(path, labels=("y",)).array[:, 0])) == 60


def test_a_column_of_dates_is_doubted_as_a_label(tmp_path: Path) -> None:
    rows = "".join(f"{row / 7},2024-{1 + row % 12:02}-{1 + row % 28:02},{'ab'[row % 2]}\n" for row in range(100))
    source = csv_file(tmp_path, "x,when,kind\n" + rows)
    said = [line for line in describe(source, load(source)) if line.startswith("problem")]
    assert said == [
        "problem: when has 84 classes in 100 labels; if it is no label, name those that are with --label-columns"
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("mapped", [False, True])
def test_rows_that_cannot_be_read_are_left_out_on_request(
    tmp_path: Path, suffix: str, mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mapped:
        monkeypatch.setattr(cache_module, "WORTH_A_FILE", 0)
    cells = [float(row) for row in range(60)]
    frame = pd.DataFrame({"id": [f"r{row}" for row in range(60)], "p": cells, "q": cells[::-1], "y": list("ab") * 30})
    frame.loc[3, "p"], frame.loc[7, "q"], frame.loc[[7, 9], "p"] = None, None, np.inf
    path = tmp_path / f"t.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    if suffix == "csv":
        path.write_text(path.read_text().replace("\nr5,5.0", "\nr5,see notes"))
    kept = np.setdiff1d(np.arange(60), [3, 5, 7, 9] if suffix == "csv" else [3, 7, 9])
    with pytest.raises(DataError, match=r"--skip-bad" if suffix == "csv" else "row 3: column p is blank.*--skip-bad"):
        load(path)
    data = load(path, skip_bad=True)
    np.testing.assert_array_equal(data.array, frame[["p", "q"]].to_numpy(np.float32)[kept])
    assert list(data.ids) == [f"r{row}" for row in kept]
    assert [data.attributes[0].classes[code] for code in data.codes[:, 0]] == frame["y"][kept].tolist()
    assert [name for name, _ in data.skipped] == [f"r{row}" for row in range(60) if row not in kept]
    assert re.fullmatch(
        rf".*t\.{suffix}, (line 5: column p is blank|row 3: column p holds no finite number)", data.skipped[0].reason
    )
    assert len(load(path, skip_bad=True, max_rows=20)) == 20
    told = list(describe(str(path), data))
    assert told[-1] == f"--skip-bad goes on without what cannot be read: {60 - len(kept)} of 60"
    assert sum(line.startswith("problem: ") for line in told) == 60 - len(kept)


def test_a_table_of_which_no_row_can_be_read_is_refused(tmp_path: Path) -> None:
    for cell, wrong in (("", "is blank"), ("1,5", r"holds '1,5', which is no number \(decimals take a point\)")):
        rows = "".join(f"{row};{cell};{'ab'[row % 2]}\n" for row in range(60))
        with pytest.raises(DataError, match=f"line 2: column q {wrong}, and so it is with every other row"):
            load(csv_file(tmp_path, "p;q;y\n" + rows), features=("p", "q"), skip_bad=True)


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
        ({"size": (8, 8)}, "only pictures can be brought to"),
        ({"split": "train"}, "--split: does not apply"),
    ],
)
def test_columns_that_cannot_be_what_they_are_named_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(csv_file(tmp_path, "a,b,word\n1,2,x\n3,4,z\n"), **options)


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
    few = ["x;y;kind", *[f"{value},5;{value};{kind}" for value in range(6) for kind in ("cat", "dog")]]
    (tmp_path / "t.csv").write_text("\n".join(few))  # few values, but none that a class would be called
    with pytest.raises(DataError, match=r"line 2: column x holds '0,5', which is not read as a number"):
        load(str(tmp_path / "t.csv"))
    assert len(load(str(tmp_path / "t.csv"), labels=("x", "kind")).attributes) == 2
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


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("key", ["id", "ID", "Id"])
def test_a_column_that_is_called_id_is_no_feature_whatever_its_capitals(suffix: str, key: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({key: np.arange(5, 35), "x": np.arange(30) ** 2, "label": ["a", "b"] * 15})
    path = tmp_path / f"t.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    data = load(path)
    assert data.feature_names == ("x",)
    assert data.ids[:2] == ("5", "6")
    assert load(path, features=(key, "x")).feature_names == (key, "x")
    (tmp_path / "labels.csv").write_text(f"{key};kind\n7;new\n8;old\n")
    data = load(path, label_file=str(tmp_path / "labels.csv"))
    assert data.y[2:4].tolist() == ["new", "old"]


def test_a_path_in_capitals_is_one_unless_it_is_a_number(tmp_path: Path) -> None:
    for row in range(2):
        Image.new("L", (8, 8), 50 * row).save(tmp_path / f"{row}.png")
    pictures = load(csv_file(tmp_path, "Path,kind\n0.png,a\n1.png,b\n", "pictures.csv"))
    assert pictures.array[:, 0, 0].tolist() == [0, 50]
    assert load(csv_file(tmp_path, "Path,kind\n2.5,a\n3.5,b\n", "light.csv")).feature_names == ("Path",)


def test_a_feature_that_counts_the_rows_is_doubted(tmp_path: Path) -> None:
    rows = "".join(f"{row + 3},{row % 7},{'ab'[row // 15]}\n" for row in range(30))
    source = csv_file(tmp_path, "cell,x,label\n" + rows)
    said = "cell counts the rows; if it is no feature, call it id, or name the features with --feature-columns"
    assert f"problem: {said}" in list(describe(source, load(source)))
    done = call("train", source, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
