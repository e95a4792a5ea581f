"""Sources, and which rows are labelled or held out."""

from __future__ import annotations

import gzip
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from partedvae.data import DataError, Dataset, choose_labelled, hold_out, load
from partedvae.data.images import parse_size
from partedvae.labels import Attribute

Array = NDArray[Any]


def picture(path: Path, array: Array, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two grey pictures of 10 × 12 pixels, and one unlabelled."""
    rng = np.random.default_rng(0)
    for name in ("cat/1.png", "cat/2.bmp", "dog/a.png", "dog/deeper/b.tiff", "unlabeled/x.png"):
        picture(tmp_path / "pets" / name, rng.integers(256, size=(10, 12), dtype=np.uint8))
    (tmp_path / "pets" / "notes.txt").write_text("not a picture")
    return tmp_path / "pets"


def test_a_folder_is_classes_and_unlabelled_pictures(folder: Path) -> None:
    data = load(str(folder))
    assert data.x.shape == (5, 10, 12)
    assert data.x.dtype == np.uint8
    assert dict(zip(data.ids, data.y.tolist(), strict=True)) == {
        "cat/1.png": "cat", "cat/2.bmp": "cat", "dog/a.png": "dog", "dog/deeper/b.tiff": "dog", "unlabeled/x.png": None,
    }  # fmt: skip
    first = np.asarray(Image.open(folder / "cat" / "1.png"))
    np.testing.assert_array_equal(data.array[data.ids.index("cat/1.png")], first)


def test_colour_anywhere_makes_all_pictures_colour(folder: Path) -> None:
    clear = np.zeros((10, 12, 4), dtype=np.uint8)
    picture(folder / "dog" / "clear.png", clear)
    data = load(str(folder))
    assert data.x.shape == (6, 10, 12, 3)
    assert (data.array[data.ids.index("dog/clear.png")] == 255).all()  # what is transparent lies over white
    grey = data.array[data.ids.index("cat/1.png")]
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_sixteen_bits_of_grey_become_eight(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(
            tmp_path / name / "1.png", np.array([[0, 257], [32896, 65535]], dtype=np.uint16).repeat(4, 0).repeat(4, 1)
        )
    assert np.unique(load(str(tmp_path)).array).tolist() == [0, 1, 128, 255]


def test_pictures_of_different_sizes_are_named_and_can_be_resized(folder: Path) -> None:
    picture(folder / "dog" / "wide.png", np.zeros((10, 30), dtype=np.uint8))
    with pytest.raises(DataError, match=r"most are 10x12.*wide\.png \(10x30\).*--size 10x12"):
        load(str(folder))
    assert load(str(folder), size=(16, 8)).x.shape == (6, 16, 8)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "cat" / "1.png").write_bytes(b""), r"1\.png is not a picture"),
        (
            lambda f: (f / "cat" / "1.png").write_bytes((f / "cat" / "1.png").read_bytes()[:60]),
            r"1\.png cannot be read",
        ),
        (lambda f: (f / "bird").mkdir(), "bird has no pictures"),
    ],
)
def test_a_bad_file_is_named(folder: Path, break_it: Any, message: str) -> None:
    break_it(folder)
    with pytest.raises(DataError, match=message):
        load(str(folder))


def test_a_decompression_bomb_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="exceeds limit"):
        load(str(folder))


def test_an_npz_has_x_and_perhaps_y(tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "a.npz", X=x, y=np.array(["b", "", "a", "b"]))
    data = load(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(data.x, x)
    assert data.y.tolist() == ["b", None, "a", "b"]
    np.savez(tmp_path / "b.npz", X=x, y=np.array([[0, 7], [-1, 8], [1, -1], [0, -1]]))
    assert load(str(tmp_path / "b.npz")).y.tolist() == [[0, 7], [None, 8], [1, None], [0, None]]
    np.savez(tmp_path / "c.npz", X=x)
    assert load(str(tmp_path / "c.npz")).y.tolist() == [None] * 4


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((3, 2))}, "has no array X; it has x"),
        ({"X": np.ones(3)}, r"X has shape \(3,\)"),
        ({"X": np.ones((0, 3))}, r"X has shape \(0, 3\)"),
        ({"X": np.ones((3, 2)), "y": np.array([0, 1])}, "X has 3 rows and y has 2"),
        ({"X": np.ones((3, 2)), "y": np.array([0.5, 1.5, 1.0])}, "continuous"),
        ({"X": np.ones((2, 2)), "y": np.array([None, "a"], dtype=object)}, "cannot be read"),
    ],
)
def test_a_bad_npz_is_refused(tmp_path: Path, arrays: dict[str, Array], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"bad\.npz.*{message}"):
        load(str(tmp_path / "bad.npz"))


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "fake.npz").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    for source, message in (
        ("nothing", "no file or folder 'nothing'.*digits"),
        (str(tmp_path / "notes.txt"), "neither a folder"),
        (str(tmp_path / "fake.npz"), "cannot be read"),
        (str(tmp_path / "empty"), "has no pictures"),
    ):
        with pytest.raises(DataError, match=message):
            load(source)


def _idx(array: Array) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_fashion_mnist_is_read_from_its_published_files_gzipped_or_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {}
    for part, n, pack in (("train", 20, gzip.compress), ("t10k", 10, bytes)):
        x, y = rng.integers(256, size=(n, 28, 28), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)
        suffix = ".gz" if part == "train" else ""
        (tmp_path / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(_idx(x)))
        (tmp_path / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(_idx(y)))
        parts[part] = x
    data = load("fashion-mnist", data_dir=str(tmp_path))
    np.testing.assert_array_equal(data.x, np.concatenate([parts["train"], parts["t10k"]]))
    assert data.y[:3].tolist() == ["t-shirt", "trouser", "pullover"]
    assert load("fashion-mnist", data_dir=str(tmp_path), size=(32, 32)).x.shape == (30, 32, 32)

    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(_idx(parts["t10k"])[:-5])
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte is truncated"):
        load("fashion-mnist", data_dir=str(tmp_path))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match="not an IDX file"):
        load("fashion-mnist", data_dir=str(tmp_path))
    with pytest.raises(DataError, match="--data-dir"):
        load("fashion-mnist", data_dir=str(tmp_path / "elsewhere"))


def test_sizes_are_numbers_or_height_by_width() -> None:
    assert parse_size("32") == (32, 32)
    assert parse_size("48X64") == (48, 64)
    for wrong in ("", "x", "32x", "-3", "1x2x3", "big", "0"):
        with pytest.raises(DataError, match="--size"):
            parse_size(wrong)


# -------------------------------------------------------------------------------------------------- subsets of rows


def _labelled(counts: list[int], n_unlabelled: int) -> Dataset:
    codes = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(n_unlabelled, -1)])
    codes = np.random.default_rng(0).permutation(codes)[:, None]
    names = tuple(map(str, range(len(codes))))
    return Dataset(np.zeros((len(codes), 2)), codes, (Attribute("class", np.arange(len(counts))),), names)


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=6),
    n_unlabelled=st.integers(0, 20),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_labels_are_chosen_in_proportion_with_every_class_present(
    counts: list[int], n_unlabelled: int, share: float, seed: int
) -> None:
    data = _labelled(counts, n_unlabelled)
    total = max(len(counts), round(share * sum(counts)))
    rows = choose_labelled(data, total=total, seed=seed)
    assert len(rows) == len(set(rows.tolist())) == total
    chosen = np.bincount(data.codes[rows, 0], minlength=len(counts))
    assert (chosen >= 1).all()
    assert (chosen <= counts).all()
    forced = sum(count * total / sum(counts) < 1 for count in counts)  # small classes that get one all the same
    assert (np.abs(chosen - np.array(counts) * total / sum(counts)) <= 1 + forced).all()
    np.testing.assert_array_equal(rows, choose_labelled(data, total=total, seed=seed))


def test_labels_per_class_and_their_limits() -> None:
    data = _labelled([10, 20], 30)
    rows = choose_labelled(data, per_class=4)
    assert np.bincount(data.codes[rows, 0]).tolist() == [4, 4]
    for wrong, message in (
        ({"per_class": 11}, "--labels-per-class 11.*1 and 10.*class 0"),
        ({"total": 1}, "--labels 1: should be between 2, so that every class has one"),
        ({"total": 31}, "--labels 31.*30"),
    ):
        with pytest.raises(DataError, match=message):
            choose_labelled(data, **wrong)


def test_rows_held_out_are_a_share_of_each_class_and_never_unlabelled() -> None:
    data = _labelled([10, 20], 30)
    kept, held = hold_out(data, 0.2, seed=1)
    assert np.bincount(data.codes[held, 0]).tolist() == [2, 4]
    assert sorted([*kept, *held]) == list(range(60))
    for fraction in (0.0, 1.0, -1.0, 0.01):
        with pytest.raises(DataError, match="--holdout"):
            hold_out(data, fraction)


def test_a_class_too_small_to_divide_trains_and_a_warning_says_so() -> None:
    data = _labelled([1, 20], 3)
    with pytest.warns(UserWarning, match="too few labelled rows to hold any out of 0; what is measured"):
        kept, held = hold_out(data, 0.5)
    assert np.bincount(data.codes[held, 0], minlength=2).tolist() == [0, 10]
    assert (data.codes[kept, 0] == 0).sum() == 1
    _, most = hold_out(_labelled([4, 4], 0), 0.99)
    assert len(most) == 6  # one of each stays


def _several(sizes: list[int], n: int, seed: int) -> Dataset:
    """Rows of several attributes, most combinations of their classes rare; a tenth of the labels missing."""
    rng = np.random.default_rng(seed)
    codes = np.stack(
        [rng.choice(size, n, p=np.arange(1, size + 1) / sum(range(1, size + 1))) for size in sizes], axis=1
    )
    for column, size in zip(codes.T, sizes, strict=True):
        column[:size] = np.arange(size)
    codes[rng.random(codes.shape) < 0.1] = -1
    for column, size in zip(codes.T, sizes, strict=True):
        column[:size] = np.arange(size)
    attributes = tuple(Attribute(f"a{i}", np.arange(size)) for i, size in enumerate(sizes))
    return Dataset(np.zeros((n, 1)), codes, attributes, tuple(map(str, range(n))))


@given(st.lists(st.integers(2, 5), min_size=2, max_size=5), st.integers(40, 200), st.integers(0, 3))
def test_several_attributes_are_divided_by_class_not_by_combination(sizes: list[int], n: int, seed: int) -> None:
    data = _several(sizes, n, seed)

    def counts(rows: Array) -> list[Array]:
        return [np.bincount(c[c >= 0], minlength=size) for c, size in zip(data.codes[rows].T, sizes, strict=True)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rare classes
        kept, held = hold_out(data, 0.25, seed)
    assert len(held) == round(0.25 * len(data.labelled))
    assert all((counted >= 1).all() for counted in counts(kept))
    few = choose_labelled(data, per_class=1, seed=seed)
    assert all((counted >= 1).all() for counted in counts(few))
    assert len(few) <= sum(sizes)
    some = choose_labelled(data, total=len(few) + 5, seed=seed)
    assert len(set(some.tolist())) == len(some) == len(few) + 5
    assert all((counted >= 1).all() for counted in counts(some))
    with pytest.raises(DataError, match="so that every class has one"):
        choose_labelled(data, total=max(sizes) - 1)


def test_a_share_of_several_attributes_is_a_share_of_each_class() -> None:
    data = _several([4, 3, 2], 4_000, 0)
    _, held = hold_out(data, 0.25, 1)
    for codes, size in zip(data.codes.T, (4, 3, 2), strict=True):
        shares = np.bincount(codes[held] + 1, minlength=size + 1) / np.bincount(codes + 1, minlength=size + 1)
        assert shares == pytest.approx(0.25, abs=0.06)


def test_hidden_labels_are_gone_from_the_data() -> None:
    data = _labelled([3, 3], 1)
    few = data.with_labels_of(data.labelled[:2])
    assert few.labelled.tolist() == data.labelled[:2].tolist()
    assert sum(label is not None for label in few.y.tolist()) == 2
