"""The built-in data sets that are read from their published files, written here in small in the same formats."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
import struct
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from partedvae.data import cache as cache_module
from partedvae.data import dsprites, idx_sets, shapes3d
from partedvae.data.celeba import GROUPS, grouped, mapping_table, read_celeba
from partedvae.data.dataset import DataError
from partedvae.data.download import REGISTRY, Published, fetch
from partedvae.data.dsprites import read_dsprites
from partedvae.data.idx_sets import read_idx_set
from partedvae.data.lazy import in_memory
from partedvae.data.reading import Reading
from partedvae.data.shapes3d import read_shapes3d

Array = NDArray[Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PARTEDVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def reading(folder: Path, **options: Any) -> Reading:
    return Reading(data_dir=str(folder), **options)


# --------------------------------------------------------------------------------------------------------------- IDX


def _idx(array: Array) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def _write_idx(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(_idx(array)) if path.suffix == ".gz" else _idx(array))


def _idx_set(folder: Path, spelling: str = "{}-{}-idx{}-ubyte") -> dict[str, tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 20), ("t10k", 10)):
        x, y = rng.integers(256, size=(n, 28, 28), dtype=np.uint8), rng.integers(10, size=n, dtype=np.uint8)
        _write_idx(folder / spelling.format(part, "images", 3), x)
        _write_idx(folder / spelling.format(part, "labels", 1), y)
        parts[part] = (x, y)
    return parts


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("below", ["", "torchvision"])
@pytest.mark.parametrize("spelling", ["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte"])
def test_idx_sets_are_read_as_published(tmp_path: Path, name: str, below: str, spelling: str) -> None:
    below = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}[name] if below else ""
    parts = _idx_set(tmp_path / below, spelling)
    data = read_idx_set(name, reading(tmp_path))
    np.testing.assert_array_equal(data.x, np.concatenate([parts["train"][0], parts["t10k"][0]]))
    np.testing.assert_array_equal(data.codes[:, 0], np.concatenate([parts["train"][1], parts["t10k"][1]]))
    (attribute,) = data.attributes
    if name == "mnist":
        assert attribute.classes.tolist() == list(range(10))
    else:
        assert attribute.classes.tolist()[-2:] == ["bag", "ankle boot"]
    for split, part in (("train", "train"), ("test", "t10k")):
        np.testing.assert_array_equal(read_idx_set(name, reading(tmp_path, split=split)).x, parts[part][0])


def test_only_the_files_of_the_part_are_needed(tmp_path: Path) -> None:
    parts = _idx_set(tmp_path)
    for file in tmp_path.glob("train*"):
        file.unlink()
    assert len(read_idx_set("mnist", reading(tmp_path, split="test"))) == 10
    with pytest.raises(DataError, match=r"no file .*train-images-idx3-ubyte.*--data-dir"):
        read_idx_set("mnist", reading(tmp_path))
    few = read_idx_set("mnist", reading(tmp_path, split="test", max_rows=4))
    assert len(few) == 4
    np.testing.assert_array_equal(few.x, parts["t10k"][0][[int(name) for name in few.ids]])


def test_bad_idx_sets_are_refused(tmp_path: Path) -> None:
    images, labels = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    for file, array, message in (
        (labels, np.zeros(9, dtype=np.uint8), rf"{images} has 10 pictures and .*{labels} has 9"),
        (labels, np.full(10, 10, dtype=np.uint8), rf"{labels} should have one number from 0 to 9"),
        (labels, np.zeros((10, 1), dtype=np.uint8), f"{labels} should have one number"),
        (images, np.zeros((10, 784), dtype=np.uint8), rf"{images} has shape \(10, 784\)"),
        (images, np.zeros((10, 14, 14), dtype=np.uint8), "different sizes"),
    ):
        _idx_set(tmp_path)
        _write_idx(tmp_path / file, array)
        with pytest.raises(DataError, match=message):
            read_idx_set("mnist", reading(tmp_path))
    _idx_set(tmp_path)
    (tmp_path / images).write_bytes((tmp_path / images).read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{images} is truncated"):
        read_idx_set("mnist", reading(tmp_path))
    with pytest.raises(DataError, match=r"^--split valid: should be train or test"):
        read_idx_set("mnist", reading(tmp_path, split="valid"))
    with pytest.raises(DataError, match="--data-dir"):
        read_idx_set("mnist", Reading())
    with pytest.raises(DataError, match="dataset-fashion-mnist"):
        read_idx_set("fashion-mnist", reading(tmp_path / "elsewhere"))


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _idx_set(tmp_path / "debian", "{}-{}-idx{}-ubyte.gz")
    monkeypatch.setattr(idx_sets, "_DEBIAN_FASHION", tmp_path / "debian")
    assert len(read_idx_set("fashion-mnist", Reading())) == 30
    monkeypatch.setattr(idx_sets, "_DEBIAN_FASHION", tmp_path / "nowhere")
    with pytest.raises(DataError, match="--data-dir"):
        read_idx_set("fashion-mnist", Reading())


# ---------------------------------------------------------------------------------------------------------- dSprites

SPRITES = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


class Trap:
    """Fails the test of whoever unpickles it."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("the metadata were unpickled",)


def _dsprites() -> dict[str, Array]:
    values = [[1.0], [1.0, 2.0, 3.0], [0.5, 0.6], [0.0, 3.1], [0.0, 1.0], [0.0, 0.5, 1.0]]
    classes = np.array(list(itertools.product(*(range(len(v)) for v in values))))
    meant = np.stack([np.array(v)[classes[:, k]] for k, v in enumerate(values)], axis=1)
    images = np.random.default_rng(0).integers(2, size=(len(classes), 64, 64), dtype=np.uint8)
    metadata = np.empty((), dtype=object)
    metadata[()] = Trap()
    return {"imgs": images, "latents_values": meant, "latents_classes": classes, "metadata": metadata}


def _save(folder: Path, arrays: dict[str, Array], compressed: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(folder / SPRITES, **arrays)  # type: ignore[arg-type]
    return folder


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a small file is worth the cache, and comes in several parts."""
    monkeypatch.setattr(cache_module, "WORTH_A_FILE", 0)
    for module in (dsprites, shapes3d):
        monkeypatch.setattr(module, "_BYTES_AT_ONCE", 5 * 64 * 64)


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize(
    ("compressed", "options", "mapped"), [(True, {}, True), (True, {"cache": False}, False), (False, {}, True)]
)
def test_dsprites_is_read_as_published(
    tmp_path: Path, cache: Path, compressed: bool, options: dict[str, Any], mapped: bool
) -> None:
    arrays = _dsprites()
    data = read_dsprites(reading(_save(tmp_path / "in", arrays, compressed), **options))
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
    assert in_memory(read_dsprites(reading(_save(tmp_path / "in", _dsprites()))).x)
    assert not cache.exists()


@pytest.mark.usefixtures("in_small_parts")
def test_dsprites_is_decompressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = _dsprites()
    how = reading(_save(tmp_path / "in", arrays))
    first = read_dsprites(how)
    with monkeypatch.context() as patch:
        patch.setattr(dsprites, "_images", lambda *_: pytest.fail("decompressed again"))
        np.testing.assert_array_equal(read_dsprites(how).x, first.x)
    arrays["imgs"] = 1 - arrays["imgs"][::-1]
    _save(tmp_path / "in", arrays)
    np.testing.assert_array_equal(read_dsprites(how).x, arrays["imgs"] * 255)


def test_rows_of_dsprites_may_be_some_of_the_grid_in_any_order(tmp_path: Path) -> None:
    arrays = _dsprites()
    rows = np.random.default_rng(1).permutation(np.flatnonzero(arrays["latents_classes"][:, 1] != 1))
    some = {name: array if name == "metadata" else array[rows] for name, array in arrays.items()}
    data = read_dsprites(reading(_save(tmp_path / "in", some), labels=("y", "shape")))
    assert [a.classes.tolist() for a in data.attributes] == [[0.0, 0.5, 1.0], ["square", "heart"]]
    np.testing.assert_array_equal(data.codes[:, 0], some["latents_classes"][:, 5])
    assert data.y[:, 1].tolist() == [{1: "square", 3: "heart"}[int(v)] for v in some["latents_values"][:, 1]]
    few = read_dsprites(reading(tmp_path / "in", max_rows=7))
    np.testing.assert_array_equal(few.x, data.x[np.array(few.ids).astype(np.int64)])
    assert read_dsprites(reading(tmp_path / "in", labels=())).attributes == ()


def _with(name: str, change: Callable[[Array], Array]) -> Callable[[dict[str, Array]], dict[str, Array]]:
    return lambda arrays: arrays | {name: change(arrays[name])}


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"imgs": a["imgs"]}, "no item named 'latents_classes.npy'"),
        (lambda a: {name: array for name, array in a.items() if name != "imgs"}, "no item named 'imgs.npy'"),
        (_with("imgs", lambda x: x[1:]), "71 pictures, 72 latents_values and 72 classes"),
        (_with("imgs", lambda x: x * 255), "imgs has the value 255"),
        (_with("imgs", lambda x: x.astype(float)), r"imgs has shape \(72, 64, 64\) of float64"),
        (_with("imgs", lambda x: x[..., None]), r"imgs has shape \(72, 64, 64, 1\)"),
        (_with("imgs", lambda x: x.astype(object)), "of object"),
        (_with("latents_values", lambda x: x[:, 1:]), r"latents_values has shape \(72, 5\)"),
        (_with("latents_values", lambda x: np.roll(x, 5, axis=0)), "do not agree about shape"),
        (_with("latents_values", lambda x: x + 1), "shape has the value 4; it should be one of 1.0, 2.0, 3.0"),
        (_with("latents_classes", lambda x: x.astype(object)), "Object arrays cannot be loaded"),
    ],
)
def test_bad_dsprites_are_refused(tmp_path: Path, change: Any, message: str, cached: bool) -> None:
    folder = _save(tmp_path / "in", change(_dsprites()))
    with pytest.raises(DataError, match=rf"{re.escape(SPRITES)} cannot be read: .*{message}"):
        read_dsprites(reading(folder, cache=cached))


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
def test_damaged_dsprites_are_refused(tmp_path: Path, cache: Path, cached: bool) -> None:
    path = _save(tmp_path / "in", _dsprites()) / SPRITES
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
        read_dsprites(reading(_save(tmp_path / "in", _dsprites()), labels=("size",)))


# --------------------------------------------------------------------------------------------------------- 3D Shapes


def _shapes3d() -> dict[str, Array]:
    hues = [0.0, 0.1]
    values = [hues, hues, [0.0, 0.1, 0.2], [0.75, 1.25], [0.0, 1.0, 2.0, 3.0], [-30.0, 30.0]]
    labels = np.array(list(itertools.product(*values)))
    return {
        "images": np.random.default_rng(0).integers(256, size=(len(labels), 8, 8, 3), dtype=np.uint8),
        "labels": labels,
    }


def _save_hdf5(folder: Path, arrays: dict[str, Array], **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **(options if name == "images" else {}))
    return folder


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("layout", [{}, {"chunks": (7, 4, 4, 1), "compression": "gzip"}])
@pytest.mark.parametrize("cached", [True, False])
def test_shapes3d_is_read_as_published(tmp_path: Path, cache: Path, layout: dict[str, Any], cached: bool) -> None:
    arrays = _shapes3d()
    how = reading(_save_hdf5(tmp_path / "in", arrays, **layout), cache=cached)
    for _ in range(2):
        data = read_shapes3d(how)
        np.testing.assert_array_equal(data.x, arrays["images"])
        assert in_memory(data.x) != cached
        assert cache.exists() == cached
    (shape,) = data.attributes
    assert (shape.name, shape.classes.tolist()) == ("shape", ["cube", "cylinder", "sphere", "capsule"])
    np.testing.assert_array_equal(data.codes[:, 0], arrays["labels"][:, 4].astype(int))
    assert data.grid is not None
    assert data.grid.names == ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
    assert data.grid.sizes == (2, 2, 3, 2, 4, 2)
    np.testing.assert_array_equal(data.points, np.arange(len(data)))
    two = read_shapes3d(reading(tmp_path / "in", labels=("object hue", "scale"), max_rows=10))
    rows = np.array(two.ids).astype(np.int64)
    np.testing.assert_array_equal(two.y, arrays["labels"][rows][:, [2, 3]])
    np.testing.assert_array_equal(two.x[np.arange(10)], arrays["images"][rows])


@pytest.mark.usefixtures("in_small_parts")
def test_a_changed_shapes3d_is_copied_again(tmp_path: Path) -> None:
    arrays = _shapes3d()
    how = reading(_save_hdf5(tmp_path / "in", arrays))
    read_shapes3d(how)
    arrays["images"] = arrays["images"][::-1]
    _save_hdf5(tmp_path / "in", arrays)
    np.testing.assert_array_equal(read_shapes3d(how).x, arrays["images"])


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"labels": a["labels"]}, "images"),
        (_with("labels", lambda x: x[1:]), r"labels has shape \(191, 6\); it should be \(192, 6\)"),
        (_with("labels", lambda x: x + 1), "shape has the value 4"),
        (_with("images", lambda x: x[..., 0]), r"images has shape \(192, 8, 8\)"),
        (_with("images", lambda x: x.astype(float)), "of float64"),
        (_with("images", lambda x: x[:0]), r"images has shape \(0, 8, 8, 3\)"),
    ],
)
def test_bad_shapes3d_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"3dshapes\.h5 cannot be read: .*{message}"):
        read_shapes3d(reading(_save_hdf5(tmp_path / "in", change(_shapes3d()))))


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
def test_damaged_shapes3d_are_refused(
    tmp_path: Path, cache: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save_hdf5(tmp_path / "in", _shapes3d(), chunks=(8, 8, 8, 3), compression="gzip") / "3dshapes.h5"
    whole = path.read_bytes()
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(20)
    damaged = bytearray(whole)
    damaged[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    for content in (b"", b"nothing", whole[: len(whole) // 2], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"3dshapes\.h5 cannot be read"):
            read_shapes3d(reading(tmp_path / "in", cache=cached))
    assert not list(cache.rglob("*.npy"))
    with pytest.raises(DataError, match="no factor 'colour'"):
        read_shapes3d(reading(_save_hdf5(tmp_path / "in", _shapes3d()), labels=("colour",), cache=cached))
    with h5py.File(path, "w") as file:
        file.create_group("images")
        file.create_group("labels")
    with pytest.raises(DataError, match="not groups"):
        read_shapes3d(reading(tmp_path / "in", cache=cached))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'partedvae\[hdf5\]'"):
        read_shapes3d(reading(tmp_path / "in", cache=cached))


# ------------------------------------------------------------------------------------------------------------ CelebA

NAMES = [
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
]  # fmt: skip
FACES = [f"{number:06d}.jpg" for number in range(1, 31)]
PARTS = [0] * 18 + [1] * 5 + [2] * 7


def _faces(folder: Path, csv: bool = False, nested: bool = False, places: tuple[str, str, str] = ("", "", "")) -> Array:
    """The three parts of CelebA as published, or as on Kaggle; returns which attributes are there."""
    rng = np.random.default_rng(0)
    there = rng.random((len(FACES), len(NAMES))) < 0.4
    anno, evaluation, img = (folder / place for place in places)
    pictures = img / "img_align_celeba" / ("img_align_celeba" if nested else "")
    for made in (anno, evaluation, pictures):
        made.mkdir(parents=True, exist_ok=True)
    for face in FACES:
        Image.fromarray(rng.integers(256, size=(22, 18, 3), dtype=np.uint8)).save(pictures / face)
    rows = [(face, *("1" if sign else "-1" for sign in row)) for face, row in zip(FACES, there, strict=True)]
    if csv:
        lines = [",".join(["image_id", *NAMES]), *map(",".join, rows)]
        (anno / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
        parts = [f"{face},{part}" for face, part in zip(FACES, PARTS, strict=True)]
        (evaluation / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *parts]) + "\n")
    else:
        aligned = [" ".join([face, *(f"{sign:>2}" for sign in signs)]) for face, *signs in rows]
        lines = [str(len(FACES)), " ".join(NAMES) + " ", *aligned]
        (anno / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
        parts = [f"{face} {part}" for face, part in zip(FACES, PARTS, strict=True)]
        (evaluation / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return there


def _by_hand(there: set[str]) -> list[str | None]:
    """The eight labels of one face, worked out apart from the program's own table."""
    hair = [name for colour, name in HAIR.items() if colour in there]
    hairline = "receding" if "Receding_Hairline" in there else "full"
    if "Bald" in there:
        hairline = "bald"
    beard = "none" if "No_Beard" in there and not there & {"Mustache", "Goatee"} else "beard"
    if "5_o_Clock_Shadow" in there:
        beard = "stubble"
    return [
        hair[0] if len(hair) == 1 else None,
        hairline,
        "yes" if "Bangs" in there else "no",
        beard,
        "yes" if "Eyeglasses" in there else "no",
        "yes" if "Smiling" in there else "no",
        "yes" if "Wearing_Hat" in there else "no",
        "male" if "Male" in there else "female",
    ]


HAIR = {"Black_Hair": "black", "Brown_Hair": "brown", "Blond_Hair": "blond", "Gray_Hair": "grey"}
CLASSES = {
    "hair colour": ["black", "brown", "blond", "grey"],
    "hairline": ["full", "receding", "bald"],
    "fringe": ["no", "yes"],
    "facial hair": ["none", "beard", "stubble"],
    "glasses": ["no", "yes"],
    "smile": ["yes", "no"],
    "hat": ["no", "yes"],
    "gender": ["female", "male"],
}


def _set_of(row: Array) -> set[str]:
    return {name for name, sign in zip(NAMES, row, strict=True) if sign}


@pytest.mark.parametrize("csv", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("places", [("", "", ""), ("Anno", "Eval", "Img"), ("celeba", "celeba", "celeba")])
def test_celeba_is_read_as_published(tmp_path: Path, csv: bool, nested: bool, places: tuple[str, str, str]) -> None:
    there = _faces(tmp_path, csv, nested, places)
    data = read_celeba(reading(tmp_path))
    assert list(data.ids) == FACES
    assert {a.name: a.classes.tolist() for a in data.attributes} == CLASSES
    assert data.y.tolist() == [_by_hand(_set_of(row)) for row in there]
    (first,) = tmp_path.rglob(FACES[0])
    np.testing.assert_array_equal(data.x[np.array([0])][0], np.asarray(Image.open(first).convert("RGB")))
    assert data.x.shape == (30, 22, 18, 3)
    for number, split in enumerate(("train", "valid", "test")):
        part = read_celeba(reading(tmp_path, split=split))
        rows = np.flatnonzero(np.array(PARTS) == number)
        assert list(part.ids) == [FACES[row] for row in rows]
        np.testing.assert_array_equal(part.codes, data.codes[rows])
        np.testing.assert_array_equal(part.x, data.x[rows])


def test_some_rows_of_celeba_are_chosen_before_pictures_are_read(tmp_path: Path) -> None:
    _faces(tmp_path)
    whole = read_celeba(reading(tmp_path))
    data = read_celeba(reading(tmp_path, max_rows=6, size=(11, 9)))
    assert list(data.ids) == sorted(data.ids)
    rows = [FACES.index(name) for name in data.ids]
    np.testing.assert_array_equal(data.codes, whole.codes[rows])
    assert data.x.shape == (6, 11, 9, 3)
    (tmp_path / "img_align_celeba" / FACES[(set(range(30)) - set(rows)).pop()]).write_bytes(b"no picture")
    assert len(read_celeba(reading(tmp_path, max_rows=6))) == 6


def test_missing_and_bad_pictures_are_named_or_skipped(tmp_path: Path) -> None:
    _faces(tmp_path)
    for name in (FACES[3], FACES[20]):
        (tmp_path / "img_align_celeba" / name).unlink()
    (tmp_path / "img_align_celeba" / FACES[7]).write_bytes(b"no picture")
    with pytest.raises(DataError, match=rf"lacks 2 of the 30 pictures .* the first of them {FACES[3]}\. --skip-bad"):
        read_celeba(reading(tmp_path))
    data = read_celeba(reading(tmp_path, skip_bad=True))
    assert list(data.ids) == [name for row, name in enumerate(FACES) if row not in (3, 7, 20)]
    assert [Path(skipped.id).name for skipped in data.skipped] == [FACES[3], FACES[20], FACES[7]]
    assert len(data) == len(data.x) == len(data.codes) == 27
    assert len(read_celeba(reading(tmp_path, split="test"))) == 7  # what is missing is of other parts
    for name in FACES:
        (tmp_path / "img_align_celeba" / name).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"lacks 30 of the 30 pictures .*000001\.jpg\.$"):
        read_celeba(reading(tmp_path, skip_bad=True))


@given(st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=20))
def test_the_eight_attributes_are_what_a_person_makes_of_the_forty(faces: list[set[str]]) -> None:
    there = np.array([[name in face for name in NAMES] for face in faces])
    codes, attributes = grouped(NAMES, there, GROUPS)
    for face, row in zip(faces, codes, strict=True):
        found = [None if code < 0 else a.classes.tolist()[code] for a, code in zip(attributes, row, strict=True)]
        assert found == _by_hand(face)


_TERMS = st.tuples(st.booleans(), st.sampled_from(NAMES[:5]))
_CONDITIONS = st.lists(st.lists(_TERMS, min_size=1, max_size=3), min_size=1, max_size=3)


@given(classes=st.lists(_CONDITIONS, min_size=2, max_size=4), face=st.sets(st.sampled_from(NAMES[:5])))
def test_a_class_is_the_only_one_of_which_a_condition_holds(
    classes: list[list[list[tuple[bool, str]]]], face: set[str]
) -> None:
    written = {
        str(number): [" ".join(("" if wanted else "-") + name for wanted, name in terms) for terms in conditions]
        for number, conditions in enumerate(classes)
    }
    hold = [
        number
        for number, conditions in enumerate(classes)
        if any(all((name in face) == wanted for wanted, name in terms) for terms in conditions)
    ]
    codes, _ = grouped(NAMES[:5], np.array([[name in face for name in NAMES[:5]]]), {"a": written})
    assert codes.tolist() == [[hold[0] if len(hold) == 1 else -1]]


def test_the_table_of_the_mapping_has_a_row_for_each_class() -> None:
    lines = mapping_table().splitlines()
    assert len(lines) == 2 + sum(map(len, CLASSES.values()))
    assert "| facial hair | none | `No_Beard` and not `Mustache` and not `Goatee` and not `5_o_Clock_Shadow` |" in lines


def test_other_groups_come_from_a_file(tmp_path: Path) -> None:
    there = _faces(tmp_path)
    (tmp_path / "groups.yaml").write_text(
        "age:\n  young: Young\n  old: -Young\nneck:\n  no: [-Wearing_Necktie -Wearing_Necklace]\n"
        "  yes:\n    - Wearing_Necktie\n    - Wearing_Necklace\n"
    )
    data = read_celeba(reading(tmp_path, groups=str(tmp_path / "groups.yaml")))
    assert [a.classes.tolist() for a in data.attributes] == [["young", "old"], ["no", "yes"]]
    young, necktie, necklace = (there[:, NAMES.index(n)] for n in ("Young", "Wearing_Necktie", "Wearing_Necklace"))
    np.testing.assert_array_equal(data.codes[:, 0], ~young)
    np.testing.assert_array_equal(data.codes[:, 1], necktie | necklace)

    one = read_celeba(reading(tmp_path, labels=("hat",)))
    np.testing.assert_array_equal(one.codes[:, 0], there[:, NAMES.index("Wearing_Hat")])
    with pytest.raises(DataError, match=r"--label-columns beard: .*facial hair"):
        read_celeba(reading(tmp_path, labels=("beard",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age: [Young", r"groups\.yaml cannot be read"),
        ("", "should have attributes"),
        ("- Young", "should have attributes"),
        ("age: Young", "age: should have two classes or more"),
        ("age: {young: Young}", "age: should have two classes or more"),
        ("age: {young: Young, old: []}", "age, old: should have a condition"),
        ("age: {young: Young, old: ['']}", "age, old: should have a condition"),
        ("age: {young: Young, old: {not: Young}}", "age, old: should have a condition"),
        (
            "age: {young: Young, old: Young -Grey_Hair}",
            "age, old: .*list_attr_celeba.txt has no attribute 'Grey_Hair'; it has .*Gray_Hair",
        ),
        ("age: {young: Young, old: '- Young'}", "age, old: .*no attribute ''"),
        (
            "age: {young: !!python/name:os.system x, old: Young}",
            "age, young: .*no attribute 'x'",
        ),  # text, whatever its tag
    ],
)
def test_bad_groups_are_refused(tmp_path: Path, text: str, message: str) -> None:
    _faces(tmp_path)
    (tmp_path / "groups.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"--groups .*{message}"):
        read_celeba(reading(tmp_path, groups=str(tmp_path / "groups.yaml")))


def _edit(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(change(lines)) + "\n")

    return apply


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "list_attr_celeba.txt").unlink(), "neither list_attr_celeba.txt nor list_attr_celeba.csv"),
        (lambda f: (f / "list_eval_partition.txt").unlink(), "neither list_eval_partition.txt"),
        (lambda f: (f / "img_align_celeba").rename(f / "faces"), "no folder img_align_celeba"),
        (_edit("list_attr_celeba.txt", lambda lines: lines[:-3]), "has 27 rows, and says .* it has 30"),
        (_edit("list_attr_celeba.txt", lambda lines: lines[:1]), "it has no rows"),
        (_edit("list_attr_celeba.txt", lambda lines: []), "it has no rows"),
        (_edit("list_attr_celeba.txt", lambda lines: [*lines[:5], lines[5][:-3], *lines[6:]]), "line 6: should be"),
        (_edit("list_attr_celeba.txt", lambda lines: [*lines[:5], "", *lines[5:]]), "line 6: should be"),
        (
            _edit("list_attr_celeba.txt", lambda lines: [*lines[:-1], lines[-1].replace("-1", " 0")]),
            "line 32: should be a picture and 40 values",
        ),
        (
            _edit("list_attr_celeba.txt", lambda lines: [lines[0], lines[1].replace("Bald", "Hairy"), *lines[2:]]),
            "the built-in groups, hairline, full: .* has no attribute 'Bald'",
        ),
        (_edit("list_eval_partition.txt", lambda lines: lines[:-1]), "does not say which part 000030.jpg is in"),
        (_edit("list_eval_partition.txt", lambda lines: [*lines[:-1], "000030.jpg 3"]), "line 30: should be"),
        (
            _edit("list_eval_partition.txt", lambda lines: [line[:-1] + "0" for line in lines]),
            "--split test: .* no picture in that part",
        ),
        (lambda f: (f / "list_attr_celeba.txt").write_bytes(b"\xff\xfe"), r"list_attr_celeba\.txt cannot be read"),
    ],
)
def test_bad_celeba_is_refused(tmp_path: Path, break_it: Callable[[Path], None], message: str) -> None:
    folder = tmp_path / "in"
    _faces(folder)
    break_it(folder)
    with pytest.raises(DataError, match=message):
        read_celeba(reading(folder, split="test"))


def test_what_celeba_needs_is_said(tmp_path: Path) -> None:
    _faces(tmp_path)
    with pytest.raises(DataError, match=r"^--split validation: should be train, valid or test"):
        read_celeba(reading(tmp_path, split="validation"))
    with pytest.raises(DataError, match="--data-dir"):
        read_celeba(Reading())
    with pytest.raises(DataError, match=r"--groups .*nowhere\.yaml cannot be read"):
        read_celeba(reading(tmp_path, groups="nowhere.yaml"))


# --------------------------------------------------------------------------------------------------------- downloads


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address that a server on this machine serves it at."""
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served))) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield served, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def _register(monkeypatch: pytest.MonkeyPatch, name: str, served: Path, url: str) -> None:
    files = [
        Published(path.name, f"{url}/{path.name}", f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}")  # noqa: S324  # what is published
        for path in sorted(served.iterdir())
    ]
    monkeypatch.setitem(REGISTRY, name, tuple(files))


def test_missing_files_are_downloaded_if_asked_for(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    parts = _idx_set(served, "{}-{}-idx{}-ubyte.gz")
    _register(monkeypatch, "mnist", served, url)
    with pytest.raises(DataError, match="--download"):
        read_idx_set("mnist", reading(tmp_path / "new"))
    data = read_idx_set("mnist", reading(tmp_path / "new", download=True))
    np.testing.assert_array_equal(data.x, np.concatenate([parts["train"][0], parts["t10k"][0]]))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in served.iterdir())
    for file in served.iterdir():
        file.unlink()
    assert len(read_idx_set("mnist", reading(tmp_path / "new", download=True))) == 30  # nothing is fetched again


def test_a_data_set_of_one_file_is_downloaded(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    _save(served, _dsprites())
    _register(monkeypatch, "dsprites", served, url)
    assert len(read_dsprites(reading(tmp_path / "new", download=True))) == 72
    (served / SPRITES).unlink()
    _save_hdf5(served, _shapes3d())
    _register(monkeypatch, "shapes3d", served, url)
    assert len(read_shapes3d(reading(tmp_path / "new", download=True))) == 192


def test_what_is_there_already_is_not_replaced(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    (served / "a").write_bytes(b"published")
    (served / "b").write_bytes(b"published")
    _register(monkeypatch, "mnist", served, url)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"my own")
    fetch("mnist", tmp_path / "in")
    assert {p.name: p.read_bytes() for p in (tmp_path / "in").iterdir()} == {"a": b"my own", "b": b"published"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"something else"), "has not the checksum of the published file"),
        (lambda file: file.unlink(), "cannot be downloaded to .*404"),
    ],
)
def test_a_download_that_fails_leaves_nothing(
    tmp_path: Path,
    server: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    served, url = server
    (served / "3dshapes.h5").write_bytes(b"published")
    _register(monkeypatch, "shapes3d", served, url)
    spoil(served / "3dshapes.h5")
    new = tmp_path / "new"
    with pytest.raises(DataError, match=message) as error:
        read_shapes3d(reading(new, download=True))
    assert f"{url}/3dshapes.h5" in str(error.value)
    assert str(new / "3dshapes.h5") in str(error.value)
    assert not list(new.iterdir())


def test_no_network_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as closed:
        url = f"http://127.0.0.1:{closed.server_address[1]}"
    monkeypatch.setitem(REGISTRY, "mnist", (Published("a", f"{url}/a", "md5:0"),))
    with pytest.raises(DataError, match=rf"{url}/a cannot be downloaded to .*new/a"):
        fetch("mnist", tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_what_cannot_be_downloaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"--download: .*mmlab\.ie\.cuhk\.edu\.hk.*list_attr_celeba\.txt"):
        read_celeba(reading(tmp_path, download=True))
    with pytest.raises(DataError, match="--data-dir"):
        read_idx_set("mnist", Reading(download=True))
    with pytest.raises(DataError, match="--data-dir"):
        read_dsprites(Reading(download=True))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"pip install 'partedvae\[download\]'"):
        read_idx_set("mnist", reading(tmp_path, download=True))


def test_the_registry_has_the_sum_of_every_file() -> None:
    files = [file for registered in REGISTRY.values() for file in registered]
    assert len({file.checksum for file in files}) == len(files) == 10
    for file in files:
        assert re.fullmatch(r"md5:[0-9a-f]{32}", file.checksum)
        assert file.url.endswith(f"/{file.name}")
