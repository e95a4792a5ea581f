"""Files of NumPy: what is mapped, what is read, and what is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from command_line import QUICK, call
from partedvae import PartedVAE
from partedvae.data import DataError, load
from partedvae.data.lazy import in_memory

Array = NDArray[Any]

X = np.random.default_rng(0).normal(size=(12, 5))
Y = np.array(["cat", "", "dog"] * 4)


def saved(path: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> str:
    save(path, **arrays)
    return str(path)


def with_header_2(path: Path, x: Array) -> None:
    """An ``.npz`` of an array whose header is of the second format, which long ones need."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("X.npy", "w") as member:
        np.lib.format.write_array(member, x, version=(2, 0))


# --------------------------------------------------------------------------------------------------------- what is read


def test_an_npy_is_mapped_and_has_no_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    data = load(str(tmp_path / "x.npy"))
    assert not in_memory(data.x)
    assert data.attributes == ()
    np.testing.assert_array_equal(data.array, X)
    assert list(data.ids) == [str(row) for row in range(12)]
    few = load(str(tmp_path / "x.npy"), max_rows=5)
    assert not in_memory(few.x)
    np.testing.assert_array_equal(few.array, X[[int(name) for name in few.ids]])


@pytest.mark.parametrize(
    "x", [X, np.asfortranarray(X), X.astype(">f4"), X > 0, X[:, :, None].astype(np.uint8)], ids=lambda x: str(x.dtype)
)
def test_an_npz_is_mapped_unless_it_is_compressed(tmp_path: Path, x: Array) -> None:
    for save, mapped in ((np.savez, True), (np.savez_compressed, False)):
        data = load(saved(tmp_path / "a.npz", save, X=x, y=Y, other=np.arange(3)))
        assert in_memory(data.x) is not mapped
        np.testing.assert_array_equal(data.array, x)
        assert data.array.dtype == x.dtype
        assert data.y.tolist() == ["cat", None, "dog"] * 4
    with_header_2(tmp_path / "b.npz", x)
    assert not in_memory(load(str(tmp_path / "b.npz")).x)
    np.testing.assert_array_equal(load(str(tmp_path / "b.npz")).array, x)


def test_a_model_learns_the_same_from_a_mapped_file_of_any_layout(tmp_path: Path) -> None:
    x, y = X.astype(np.float32), np.arange(12) % 2
    model = PartedVAE(u_dim=2, z_dim=2, hidden_dim=8, max_epochs=2, random_state=0)
    expected = model.fit(x, y).predict_proba(x)
    for stored in (np.asfortranarray(x), x.astype(">f4")):
        data = load(saved(tmp_path / "a.npz", X=stored, y=y))
        np.testing.assert_allclose(model.fit(data).predict_proba(data), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("y", "options", "expected"),
    [
        (np.array([3, -1, 5]), {}, [3, None, 5]),
        (np.array([3.0, np.nan, 5.0]), {}, [3.0, None, 5.0]),
        (np.array([[3], [-1], [5]]), {}, [3, None, 5]),
        (np.array([True, False, True]), {}, [True, False, True]),
        (np.array(["a", "?", "b"]), {"missing": ("?",)}, ["a", None, "b"]),
        (np.array(["a", "nan", "b"]), {"missing": ("nan",)}, ["a", None, "b"]),
        (np.array([0, 99, 1]), {"missing": ("99",)}, [0, None, 1]),
        (np.array([0.0, 99.0, 1.0]), {"missing": ("99",)}, [0, None, 1]),
        (np.array([["a", ""], ["", "q"], ["b", "r"]]), {}, [["a", None], [None, "q"], ["b", "r"]]),
        (np.array([[0, -1], [1, -1], [0, -1]]), {}, [0, 1, 0]),  # the second is never labelled
        (np.array(["", "", ""]), {}, [None, None, None]),
    ],
)
def test_labels_may_be_of_any_type_and_missing(
    tmp_path: Path, y: Array, options: dict[str, Any], expected: list[Any]
) -> None:
    data = load(saved(tmp_path / "a.npz", X=X[:3], y=y), **options)
    assert data.y.tolist() == expected
    assert data.array.dtype == X.dtype


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_in_an_array_are_resized_whatever_their_channels(tmp_path: Path, channels: int) -> None:
    flat = np.full((2, 10, 9, channels), 50, dtype=np.uint8) * np.arange(1, channels + 1, dtype=np.uint8)
    for save in (np.savez, np.savez_compressed):
        data = load(saved(tmp_path / "a.npz", save, X=flat), size=(8, 16))
        np.testing.assert_array_equal(data.array, flat[:, :8, :1].repeat(16, axis=2))
    with pytest.raises(DataError, match=r"Only pictures .* brought to 8×16"):
        assert load(saved(tmp_path / "a.npz", X=np.moveaxis(flat, 3, 1)), size=(8, 16)).array.shape


# ----------------------------------------------------------------------------------------------------- what is refused

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"X": np.array([["a"], ["b"]])}, "X is of <U1; it should be of numbers"),
    "complex numbers": ({"X": X * 1j}, "X is of complex128"),
    "records": ({"X": np.zeros((2, 2), dtype="f4,i4")}, "X is of .*it should be of numbers"),
    "dates": ({"X": np.zeros((2, 2), dtype="datetime64[D]")}, "X is of datetime64"),
    "objects": ({"X": np.array([[None]])}, "cannot be read: .*Python objects"),
    "labels that are objects": ({"X": X, "y": np.array([None] * 12)}, "y holds Python objects.* text with blanks"),
    "no columns": ({"X": np.ones((3, 0))}, r"X has shape \(3, 0\)"),
    "five axes": ({"X": np.ones((2,) * 5)}, r"X has shape \(2, 2, 2, 2, 2\)"),
    "a number": ({"X": np.array(1.0)}, r"X has shape \(\)"),
    "no X": ({"images": X, "labels": Y}, "has no array X; it has images, labels"),
    "nothing": ({}, "has no array X; it has nothing"),
    "labels of other rows": ({"X": X, "y": Y[:5]}, "X has 12 rows and y has 5"),
    "labels of three axes": ({"X": X, "y": np.zeros((12, 2, 2))}, r"y should be .*it has shape \(12, 2, 2\)"),
    "labels that are bytes": ({"X": X, "y": Y.astype("S")}, "label type: bytes"),
    "fractions": ({"X": X, "y": np.linspace(0, 1, 12)}, "continuous"),
    "probabilities": ({"X": X, "y": np.full((12, 4), 0.25)}, r"y has class probabilities.* PartedVAE\.fit"),
    "infinite labels": ({"X": X, "y": np.array([np.inf, 1] * 6)}, "continuous"),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_that_are_no_data_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str, save: Callable[..., None]
) -> None:
    with pytest.raises(DataError, match=rf"bad\.npz.*{message}"):
        load(saved(tmp_path / "bad.npz", save, **arrays))


def test_files_that_are_not_what_their_names_say_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz", X=X)
    np.save(tmp_path / "a.npy", X)
    npz, npy = (tmp_path / "a.npz").read_bytes(), (tmp_path / "a.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as archive:
        archive.writestr("X", b"no array")
    for name, content in {
        "npy.npz": npy,
        "npz.npy": npz,
        "cut.npy": npy[:-1],
        "cut.npz": npz[:-1],
        "header.npy": npy[:40],
        "empty.npy": b"",
        "empty.npz": b"",
        "text.npy": b"1,2,3\n",
        "text.npz": b"1,2,3\n",
        "raw.npz": (tmp_path / "raw.npz").read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} cannot be read: ."):
            load(str(tmp_path / name))


def test_values_that_are_not_finite_are_described_and_refused_by_fit(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf):
        x = np.where(np.arange(60).reshape(12, 5) == 17, bad, X)
        data = load(saved(tmp_path / "a.npz", X=x, y=Y))
        with pytest.raises(ValueError, match="at row 3, column 2"):
            PartedVAE().fit(data)
        done = call("data", "describe", tmp_path / "a.npz")
        assert done.returncode == 0, done.stderr
        assert "problem: 1 values are NaN or infinite, the first in 3;" in done.stdout


def test_pictures_that_are_too_small_are_described_as_what_training_refuses(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz", X=np.zeros((12, 5, 5)), y=Y)
    done = call("data", "describe", tmp_path / "a.npz")
    assert done.returncode == 0, done.stderr
    assert "problem: X has images of 5×5 pixels; 8×8 is the smallest size." in done.stdout


def test_pictures_that_are_nearly_black_are_described_as_such(tmp_path: Path) -> None:
    for most, dark in ((0, True), (16, True), (64, False)):
        saved(tmp_path / "a.npz", X=np.full((12, 8, 8), most, dtype=np.uint8), y=Y)
        said = call("data", "describe", tmp_path / "a.npz").stdout
        assert (f"problem: no picture is brighter than {most} of 255" in said) == dark


# ------------------------------------------------------------------------------------------------------ files of labels


def test_an_npy_of_labels_stands_in_place_of_those_of_the_data(tmp_path: Path) -> None:
    source = saved(tmp_path / "a.npz", X=X[:3], y=np.array([0, 1, 0]))
    for labels, expected in (
        (np.array(["p", "", "q"]), ["p", None, "q"]),
        (np.array([[1, -1], [-1, 2], [3, 4]]), [[1, None], [None, 2], [3, 4]]),
    ):
        np.save(tmp_path / "labels.npy", labels)
        assert load(source, label_file=str(tmp_path / "labels.npy")).y.tolist() == expected
    (tmp_path / "labels.npy").rename(tmp_path / "labels.NPY")
    assert load(source, label_file=str(tmp_path / "labels.NPY")).y.tolist() == expected


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: np.save(path, np.arange(4)), "X has 12 rows and y has 4"),
        (lambda path: np.save(path, np.linspace(0, 1, 12)), "continuous"),
        (lambda path: np.save(path, np.array([None, "a"])), "cannot be read: .*Python objects"),
        (lambda path: path.write_bytes(b"PK"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
    ],
)
def test_a_bad_npy_of_labels_is_refused(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    write(tmp_path / "labels.npy")
    source = saved(tmp_path / "a.npz", X=X)
    with pytest.raises(DataError, match=rf"--label-file .*labels\.npy.*{message}"):
        load(source, label_file=str(tmp_path / "labels.npy"))


# --------------------------------------------------------------------------------------------------- whatever is there


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@settings(max_examples=150, derandomize=True)
@given(
    kind=st.sampled_from(["npy", "npz", "compressed"]),
    splices=st.lists(st.tuples(st.integers(0, 1000), st.binary(max_size=3)), max_size=3),
    cut=st.none() | st.integers(0, 1000),
)
def test_a_damaged_file_is_read_or_refused(
    place: Path, kind: str, splices: list[tuple[int, bytes]], cut: int | None
) -> None:
    path = place / ("x.npy" if kind == "npy" else "x.npz")
    if kind == "npy":
        np.save(path, X)
    else:
        saved(path, np.savez if kind == "npz" else np.savez_compressed, X=X, y=Y)
    damaged = bytearray(path.read_bytes())
    for at, new in splices:
        at %= len(damaged)
        damaged[at : at + len(new)] = new
    path.write_bytes(damaged[:cut])
    try:
        data = load(str(path))
    except DataError as error:
        assert path.name in str(error)  # noqa: PT017  # may be raised, or not
    else:
        assert len(data.array) == len(data.y) == len(data)


# ---------------------------------------------------------------------------------------------------- the command line


def test_the_command_line_describes_arrays_of_every_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "labels.npy", Y)
    pictures = np.zeros((4, 8, 8), dtype=np.uint8)
    for arguments, parts in {
        (tmp_path / "x.npy",): ("12 observations, 5 features, float64, mapped from a file", "labels: none"),
        (tmp_path / "x.npy", "--label-file", tmp_path / "labels.npy"): ("cat 4, dog 4", "4 unlabelled"),
        (saved(tmp_path / "a.npz", np.savez_compressed, X=X, y=[7] * 12),): ("in memory", "class only; training needs"),
        (saved(tmp_path / "b.npz", X=pictures > 0, y=[0, 1, 0, 1]),): ("pictures of 8×8, bool", "0, 1, 2, 3"),
        (saved(tmp_path / "c.npz", X=X * np.nan),): ("problem: 60 values are NaN",),
        (saved(tmp_path / "d.npz", X=pictures), "--size", "16"): ("pictures of 16×16, uint8",),
    }.items():
        done = call("data", "describe", *arguments)
        assert done.returncode == 0, done.stderr
        for part in parts:
            assert part in done.stdout
        assert "values: from inf" not in done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "cannot be read"), (b"PK\3\4 and no more", "cannot be read"), (None, "X has 12 rows and y has 2")],
)
def test_training_on_bad_arrays_is_one_line_and_leaves_nothing(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=X, y=[0, 1])
    if content is not None:
        path.write_bytes(content)
    done = call("train", path, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_labels_of_an_npy_follow_a_choice_of_rows(tmp_path: Path) -> None:
    x = np.arange(40.0).reshape(20, 2)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(20) % 3)
    data = load(str(tmp_path / "x.npy"), label_file=str(tmp_path / "y.npy"), max_rows=7)
    assert len(data) == 7
    np.testing.assert_array_equal(data.y.astype(int), data.array[:, 0] // 2 % 3)
