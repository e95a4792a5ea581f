"""Files of labels beside the observations."""

from __future__ import annotations

from pathlib import Path

import pytest

from partedvae.data import DataError, load
from table_files import csv_file, parquet_file, pictures


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


def test_a_suggestion_that_was_filled_in_is_a_label_file(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "a\n1\n2\n3\n")
    one = csv_file(tmp_path, "rank,id,label,confidence\n1,2,u,0.4\n2,0,v,0.3\n", "one.csv")
    data = load(source, label_file=one)
    assert (data.y.tolist(), [attribute.name for attribute in data.attributes]) == (["v", None, "u"], ["label"])
    two = "rank,id,label_age,confidence_age,label_kind,confidence_kind\n1,2,old,0.4,u,1\n2,0,new,0.3,v,1\n"
    data = load(source, label_file=csv_file(tmp_path, two, "two.csv"))
    assert [attribute.name for attribute in data.attributes] == ["label_age", "label_kind"]
    own = csv_file(tmp_path, "id,rank,confidence\n0,high,sure\n1,low,not\n", "own.csv")
    assert [attribute.name for attribute in load(source, label_file=own).attributes] == ["rank", "confidence"]


def test_names_in_a_label_file_may_be_written_as_another_system_does(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "é/1.png".replace("é", "e\u0301"), "b/2.png")
    labels = csv_file(tmp_path, "path,k\né/1.png,x\nb/2.png,y\n", "labels.csv")
    assert sorted(load(str(tmp_path / "photos"), label_file=labels).y.tolist()) == ["x", "y"]
    both = csv_file(tmp_path, "id,a\né,1\ne\u0301,2\n", "both.csv")
    with pytest.raises(DataError, match="two rows of the data are called 'é'"):
        load(both, label_file=labels)


def test_a_name_that_the_data_lack_is_held_against_theirs(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "cat/img_0001.png", "dog/img_0002.png")
    labels = csv_file(tmp_path, "path,k\nimg_0002.png,x\n", "labels.csv")
    with pytest.raises(DataError, match=r"no 'img_0002\.png'; nearest is 'dog/img_0002\.png'"):
        load(str(tmp_path / "photos"), label_file=labels)


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
