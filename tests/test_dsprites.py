"""dSprites, read from its published file, written here in small."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.data import dsprites
from partedvae.data.dataset import DataError
from partedvae.data.dsprites import read_dsprites
from partedvae.data.lazy import in_memory
from partedvae.data.reading import Reading
from published import SPRITES, dsprites_arrays, reading, save_dsprites, with_one

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize(
    ("compressed", "options", "mapped"), [(True, {}, True), (True, {"cache": False}, False), (False, {}, True)]
)
def test_dsprites_is_read_as_published(
    tmp_path: Path, cache: Path, compressed: bool, options: dict[str, Any], mapped: bool
) -> None:
    arrays = dsprites_arrays()
    data = read_dsprites(reading(save_dsprites(tmp_path / "in", arrays, compressed), **options))
    np.testing.assert_array_equal(data.x, arrays["imgs"] * 255)
    assert data.x.dtype == np.uint8
    assert in_memory(data.x) != mapped
    assert cache.exists() == mapped
    assert [(a.name, a.classes.tolist()) for a in data.attributes] == [("shape", ["square", "ellipse", "heart"])]
    np.testing.assert_array_equal(data.codes, arrays["latents_classes"][:, 1:2])
    np.testing.assert_array_equal(data.factors, arrays["latents_classes"])
    assert data.grid is not None
    assert data.grid.names == ("color", "shape", "scale", "orientation", "x", "y")
    assert data.grid.values[2:4] == ((0.5, 0.6), (0.0, 3.1))
    np.testing.assert_array_equal(data.points, np.arange(len(data)))


def test_a_small_file_is_not_cached(tmp_path: Path, cache: Path) -> None:
    assert in_memory(read_dsprites(reading(save_dsprites(tmp_path / "in", dsprites_arrays()))).x)
    assert not cache.exists()


@pytest.mark.usefixtures("in_small_parts")
def test_dsprites_is_decompressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = dsprites_arrays()
    how = reading(save_dsprites(tmp_path / "in", arrays))
    first = read_dsprites(how)
    with monkeypatch.context() as patch:
        patch.setattr(dsprites, "_images", lambda *_: pytest.fail("decompressed again"))
        np.testing.assert_array_equal(read_dsprites(how).x, first.x)
    arrays["imgs"] = 1 - arrays["imgs"][::-1]
    save_dsprites(tmp_path / "in", arrays)
    np.testing.assert_array_equal(read_dsprites(how).x, arrays["imgs"] * 255)


def test_rows_of_dsprites_may_be_some_of_the_grid_in_any_order(tmp_path: Path) -> None:
    arrays = dsprites_arrays()
    rows = np.random.default_rng(1).permutation(np.flatnonzero(arrays["latents_classes"][:, 1] != 1))
    some = {name: array if name == "metadata" else array[rows] for name, array in arrays.items()}
    data = read_dsprites(reading(save_dsprites(tmp_path / "in", some), labels=("y", "shape")))
    assert [a.classes.tolist() for a in data.attributes] == [[0.0, 0.5, 1.0], ["square", "heart"]]
    np.testing.assert_array_equal(data.codes[:, 0], some["latents_classes"][:, 5])
    assert data.y[:, 1].tolist() == [{1: "square", 3: "heart"}[int(v)] for v in some["latents_values"][:, 1]]
    few = read_dsprites(reading(tmp_path / "in", max_rows=7))
    np.testing.assert_array_equal(few.x, data.x[np.array(few.ids).astype(np.int64)])
    assert read_dsprites(reading(tmp_path / "in", labels=())).attributes == ()


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"imgs": a["imgs"]}, "no item named 'latents_classes.npy'"),
        (lambda a: {name: array for name, array in a.items() if name != "imgs"}, "no item named 'imgs.npy'"),
        (with_one("imgs", lambda x: x[1:]), "71 pictures, 72 latents_values and 72 classes"),
        (with_one("imgs", lambda x: x * 255), "imgs has the value 255"),
        (with_one("imgs", lambda x: x.astype(float)), r"imgs has shape \(72, 64, 64\) of float64"),
        (with_one("imgs", lambda x: x[..., None]), r"imgs has shape \(72, 64, 64, 1\)"),
        (with_one("imgs", lambda x: x.astype(object)), "of object"),
        (with_one("latents_values", lambda x: x[:, 1:]), r"latents_values has shape \(72, 5\)"),
        (with_one("latents_values", lambda x: np.roll(x, 5, axis=0)), "do not agree about shape"),
        (with_one("latents_values", lambda x: x + 1), "shape has the value 4; it should be one of 1.0, 2.0, 3.0"),
        (with_one("latents_classes", lambda x: x.astype(object)), "Object arrays cannot be loaded"),
    ],
)
def test_bad_dsprites_are_refused(tmp_path: Path, change: Any, message: str, cached: bool) -> None:
    folder = save_dsprites(tmp_path / "in", change(dsprites_arrays()))
    with pytest.raises(DataError, match=rf"{re.escape(SPRITES)} cannot be read: .*{message}"):
        read_dsprites(reading(folder, cache=cached))


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
def test_damaged_dsprites_are_refused(tmp_path: Path, cache: Path, cached: bool) -> None:
    path = save_dsprites(tmp_path / "in", dsprites_arrays()) / SPRITES
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        middle = archive.getinfo("imgs.npy").compress_size // 2
        members = {name: archive.read(name) for name in archive.namelist() if name != "metadata.npy"}
    damaged = bytearray(whole)
    damaged[middle : middle + 40] = bytes(40)
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:-30], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{re.escape(SPRITES)} cannot be read"):
            read_dsprites(reading(tmp_path / "in", cache=cached))
    for images, message in (
        (members["imgs.npy"][:-1], "imgs ends before picture 72"),
        (members["imgs.npy"] + b"\0", "imgs has more than 72 pictures"),
        (b"not an array", "magic string"),
    ):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (members | {"imgs.npy": images}).items():
                archive.writestr(name, content)
        with pytest.raises(DataError, match=message):
            read_dsprites(reading(tmp_path / "in", cache=cached))
    assert not list(cache.rglob("*.npy"))


def test_what_dsprites_needs_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*\.npz\. It is published at https://github\.com.*--download"):
        read_dsprites(reading(tmp_path))
    with pytest.raises(DataError, match="--data-dir"):
        read_dsprites(Reading())
    with pytest.raises(DataError, match=r"no factor 'size'.*scale"):
        read_dsprites(reading(save_dsprites(tmp_path / "in", dsprites_arrays()), labels=("size",)))
