"""Manifests: tables that name pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from partedvae.data import DataError, load
from table_files import csv_file, parquet_file, pictures


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
    with pytest.raises(DataError, match=r"line 2: there is no file .*lists/1\.png\..*--data-dir names another folder"):
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
