"""Data sets of Hugging Face's library: which columns are what, what is refused, and that pictures are decoded once."""

from __future__ import annotations

import csv
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from command_line import QUICK, call
from hub_files import ANIMALS, encoded, pets, pixels, saved
from partedvae import PartedVAE
from partedvae.data import DataError, decoding, load
from partedvae.data.cache import cache_folder

Array = NDArray[Any]

CODES = [0, 1, None, 1, 0, -1]  # of two animals; null and −1 are unlabelled
NAMES = ["cat", "dog", None, "dog", "cat", None]


def table(folder: Path, columns: dict[str, Any], **types: Any) -> str:
    """A data set of any columns, as the library saves it; types that are not given are inferred."""
    import datasets

    features = datasets.Features(types) if types else None
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(folder)
    return str(folder)


KINDS = ("folder", "folder with parts", "Parquet files", "Parquet file")


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_classes_are_found_by_their_types(tmp_path: Path, kind: str) -> None:
    x = pixels(6)
    data = load(saved(kind, pets(x, CODES), tmp_path))
    assert isinstance(data.x, np.memmap)
    assert data.x.dtype == np.uint8
    np.testing.assert_array_equal(data.array, x)
    assert data.y.tolist() == NAMES
    assert [(a.name, a.classes.tolist()) for a in data.attributes] == [("animal", ANIMALS)]
    assert list(data.ids) == list("012345")


def test_a_part_is_the_one_that_is_named_else_train_or_the_only_one(tmp_path: Path) -> None:
    import datasets

    data = pets(pixels(6), CODES)
    for name, parts in (("usual", ("test", "train")), ("one", ("test",)), ("others", ("a", "b"))):
        parted = datasets.DatasetDict({part: data.select([row, 5]) for row, part in enumerate(parts)})
        parted.save_to_disk(tmp_path / name)
    assert load(str(tmp_path / "usual")).y[0] == "dog"
    assert load(str(tmp_path / "usual"), split="test").y[0] == "cat"
    assert load(str(tmp_path / "one")).y[0] == "cat"
    whole = saved("folder", data, tmp_path)
    for source, split, message in (
        (str(tmp_path / "others"), None, "has the parts a, b. Name one with --split"),
        (str(tmp_path / "usual"), "dev", "^--split dev: .*usual has test, train"),
        (whole, "train", "^--split train: .*pets has no parts"),
    ):
        with pytest.raises(DataError, match=message):
            load(source, split=split)


# --------------------------------------------------------------------------------------------------------- pictures


def test_pictures_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = saved("Parquet file", pets(pixels(6), CODES), tmp_path)
    first = load(source)

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(decoding, "read_picture", fail)
    np.testing.assert_array_equal(load(source).array, first.array)
    with pytest.raises(AssertionError, match="decoded again"):
        load(source, size=(8, 8))


def test_without_the_cache_pictures_are_in_memory_and_nothing_is_left(tmp_path: Path) -> None:
    x = pixels(6)
    source = saved("folder", pets(x, CODES), tmp_path)
    before = set(cache_folder().glob("*"))
    data = load(source, cache=False)
    np.testing.assert_array_equal(data.x, x)
    assert not isinstance(data.x, np.memmap)
    assert set(cache_folder().glob("*")) == before


@pytest.mark.parametrize("kind", ["folder", "Parquet file"])
def test_a_data_set_that_has_changed_is_decoded_anew(tmp_path: Path, kind: str) -> None:
    for seed in (0, 1):
        x = pixels(6, seed=seed)
        if kind == "folder":
            shutil.rmtree(tmp_path / "pets", ignore_errors=True)
        np.testing.assert_array_equal(load(saved(kind, pets(x, CODES), tmp_path)).array, x)


def test_of_two_columns_of_pictures_one_is_named(tmp_path: Path) -> None:
    import datasets

    left, right = pixels(6, seed=0), pixels(6, seed=1)
    pictures = {name: [Image.fromarray(each) for each in x] for name, x in (("left", left), ("right", right))}
    source = table(tmp_path / "two", pictures, left=datasets.Image(), right=datasets.Image())
    with pytest.raises(DataError, match=r"pictures in columns left, right\. Name one with --feature-columns"):
        load(source)
    np.testing.assert_array_equal(load(source, features=("left",)).array, left)
    np.testing.assert_array_equal(load(source, features=("right",)).array, right)


def test_colour_anywhere_makes_all_colour_and_a_size_is_for_all(tmp_path: Path) -> None:
    x = [pixels(1)[0], pixels(1, 12, 10, 3)[0], pixels(1, 20, 30)[0]]
    source = saved("folder", pets(x, [0, 1, 0]), tmp_path)
    with pytest.raises(DataError, match=r"row 2 \(20x30\).*--size 12x10"):
        load(source)
    data = load(source, size=(12, 10))
    assert data.x.shape == (3, 12, 10, 3)
    np.testing.assert_array_equal(data.array[1], x[1])


def test_a_picture_that_is_damaged_or_missing_is_named_or_left_out(tmp_path: Path) -> None:
    x = pixels(6)
    pictures = [*x[:3], {"bytes": encoded(x[3])[:60], "path": None}, None, x[5]]
    source = saved("folder", pets(pictures, [0, 1, 0, 1, 0, 1]), tmp_path)
    with pytest.raises(DataError, match=r"pets, row 3 cannot be read.* 1 more; --skip-bad"):
        load(source)
    data = load(source, skip_bad=True)
    np.testing.assert_array_equal(data.array, x[[0, 1, 2, 5]])
    assert data.y.tolist() == ["cat", "dog", "cat", "dog"]
    assert list(data.ids) == ["0", "1", "2", "5"]
    assert [skipped.id.rpartition(", ")[2] for skipped in data.skipped] == ["row 3", "row 4"]


def of_another_library(path: Path, pictures: list[dict[str, Any]], labels: list[str | None]) -> None:
    from pyarrow import parquet, table

    parquet.write_table(table({"picture": pictures, "label": labels}), path)


@pytest.mark.parametrize("members", [("bytes", "path"), ("bytes",)])
def test_pictures_in_a_parquet_file_of_another_library_are_found(tmp_path: Path, members: tuple[str, ...]) -> None:
    x = pixels(4)
    pictures = [{member: encoded(each) if member == "bytes" else None for member in members} for each in x]
    of_another_library(tmp_path / "other.parquet", pictures, ["a", "b", None, "a"])
    for streaming in (False, True):
        data = load(str(tmp_path / "other.parquet"), streaming=streaming)
        np.testing.assert_array_equal(data.array, x)
        assert data.y.tolist() == ["a", "b", None, "a"]


@pytest.mark.parametrize("path", ["https://example.org/a.png", "SECRET", "../secret.png", "zip://a.png::SECRET"])
def test_a_table_cannot_make_us_open_what_does_not_lie_beside_it(tmp_path: Path, path: str) -> None:
    secret, folder = tmp_path / "secret.png", tmp_path / "sent"
    folder.mkdir()
    secret.write_bytes(encoded(pixels(1)[0]))
    rows = [{"bytes": None, "path": path.replace("SECRET", str(secret))}] * 2
    of_another_library(folder / "d.parquet", rows, ["a", "b"])
    for streaming in (False, True):
        with pytest.raises(DataError, match=r"leads out of|No such file|no such file|no file"):
            load(str(folder / "d.parquet"), streaming=streaming)


def test_pictures_in_files_beside_a_table_are_read(tmp_path: Path) -> None:
    x = pixels(2)
    for name, picture in zip("ab", x, strict=True):
        (tmp_path / f"{name}.png").write_bytes(encoded(picture))
    rows = [{"bytes": None, "path": f"{name}.png"} for name in "ab"]
    of_another_library(tmp_path / "d.parquet", rows, ["a", "b"])
    for streaming in (False, True):
        np.testing.assert_array_equal(load(str(tmp_path / "d.parquet"), streaming=streaming).array, x)


def test_so_many_rows_are_the_same_choice_each_time(tmp_path: Path) -> None:
    x = pixels(30)
    source = saved("folder", pets(x, [0, 1] * 15), tmp_path)
    few = load(source, max_rows=7)
    rows = [int(name) for name in few.ids]
    assert len(set(rows)) == 7
    assert rows != list(range(7))
    np.testing.assert_array_equal(few.array, x[rows])
    assert few.y.tolist() == [ANIMALS[row % 2] for row in rows]
    assert list(load(source, max_rows=7).ids) == list(few.ids)


# ----------------------------------------------------------------------------------------------------------- labels


def test_columns_of_text_are_labels_if_they_are_named(tmp_path: Path) -> None:
    import datasets

    source = table(
        tmp_path / "texts",
        {"image": list(map(Image.fromarray, pixels(4))), "kind": ["x", "", "Unknown", "z"]},
        image=datasets.Image(),
        kind=datasets.Value("string"),
    )
    assert load(source).attributes == ()
    data = load(source, labels=("kind",), missing=("Unknown",))
    assert data.y.tolist() == ["x", None, None, "z"]
    assert data.attributes[0].classes.tolist() == ["x", "z"]
    with pytest.raises(DataError, match="has no column colour, of labels; it has image, kind"):
        load(source, labels=("colour",))


def test_several_columns_of_classes_are_several_attributes(tmp_path: Path) -> None:
    import datasets

    source = table(
        tmp_path / "several",
        {"image": list(map(Image.fromarray, pixels(3))), "animal": [0, 1, None], "size": [1, 0, 1]},
        image=datasets.Image(),
        animal=datasets.ClassLabel(names=ANIMALS),
        size=datasets.ClassLabel(names=["small", "large"]),
    )
    data = load(source)
    assert [attribute.name for attribute in data.attributes] == ["animal", "size"]
    assert data.y.tolist() == [["cat", "large"], ["dog", "small"], [None, "large"]]
    assert load(source, labels=("size",)).y.tolist() == ["large", "small", "large"]


def test_a_class_can_mean_unlabelled(tmp_path: Path) -> None:
    import datasets

    types = {"image": datasets.Image(), "kind": datasets.ClassLabel(names=["x", "Unknown", "z"])}
    columns = {"image": list(map(Image.fromarray, pixels(4))), "kind": [2, 1, 0, None]}
    data = load(table(tmp_path / "unknown", columns, **types), missing=("Unknown",))
    assert data.y.tolist() == ["z", None, "x", None]
    assert data.attributes[0].classes.tolist() == ["x", "z"]


# ---------------------------------------------------------------------------------------------- numbers and arrays


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    """Two columns of numbers, one of text and one of labels."""
    columns = {"a": [0, 1, 2, 3], "b": [0.5, 1.5, 2.5, 3.5], "note": list("wxyz"), "label": ["u", "v", "u", None]}
    return table(tmp_path / "numbers", columns)


def test_columns_of_numbers_are_features(numbers: str) -> None:
    data = load(numbers)
    assert data.feature_names == ("a", "b")
    np.testing.assert_array_equal(data.array, [[0, 0.5], [1, 1.5], [2, 2.5], [3, 3.5]])
    assert data.y.tolist() == ["u", "v", "u", None]
    other = load(numbers, features=("b", "a"))  # in the order that they are named in, as predict names them
    np.testing.assert_array_equal(other.array, data.array[:, ::-1])
    assert load(numbers, labels=("a",)).x.shape == (4, 1)


def test_numbers_that_32_bits_cannot_tell_apart_are_refused_by_fit(tmp_path: Path) -> None:
    columns = {"when": list(range(1_700_000_000, 1_700_000_040)), "label": list("uv" * 20)}
    with pytest.raises(ValueError, match="varies by little more than float32 can tell"):
        PartedVAE(max_epochs=1).fit(load(table(tmp_path / "times", columns)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ("b", "note")}, "^--feature-columns note: cannot be read beside b, since it is no number"),
        ({"features": ("note",)}, "no column of pictures or numbers"),
        ({"features": ("c",)}, "has no column c, of features"),
        ({"streaming": True}, "--streaming is for pictures"),
    ],
)
def test_what_is_no_feature_is_refused(numbers: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(numbers, **options)


def test_a_missing_number_is_refused_by_its_place(tmp_path: Path) -> None:
    source = table(tmp_path / "gaps", {"a": [0, 1, None, 3], "b": [0.5] * 4, "label": ["u", "v"] * 2})
    with pytest.raises(ValueError, match="NaN at row 2, column a"):
        PartedVAE().fit(load(source))


@pytest.mark.parametrize("kind", ["bytes", "floats", "lists"])
def test_a_column_of_arrays_is_the_observations(tmp_path: Path, kind: str) -> None:
    import datasets

    x = pixels(20) if kind == "bytes" else np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    types: dict[str, Any] = {
        "bytes": datasets.Array2D((12, 10), "uint8"),
        "floats": datasets.Sequence(datasets.Value("float32"), length=5),
        "lists": datasets.Sequence(datasets.Value("float32")),
    }
    columns = {"x": x.tolist(), "unrelated": range(20), "label": [0, 1] * 10}
    integers = {name: datasets.Value("int64") for name in ("unrelated", "label")}
    data = load(table(tmp_path / "arrays", columns, x=types[kind], **integers))
    assert data.x.dtype == x.dtype
    np.testing.assert_array_equal(data.array, x)
    assert data.x[np.arange(0)].shape == (0, *x.shape[1:])
    model = PartedVAE(max_epochs=1, hidden_dim=16, random_state=0).fit(data)
    np.testing.assert_array_equal(model.predict(data), model.predict(x))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [[1.0], [2.0]], "y": [[1.0], [2.0]]}, r"arrays in columns x, y\. Name one with --feature-columns"),
        ({"x": [["a"], ["b"]], "note": ["c", "d"]}, "no column of pictures or numbers; it has x, note"),
        ({"x": [[1.0, 2.0], [1.0]]}, "arrays of column x have different sizes"),
    ],
)
def test_arrays_that_make_no_observations_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    source = table(tmp_path / "arrays", columns)
    with pytest.raises(DataError, match=message):
        _ = load(source).array


# ------------------------------------------------------------------------------------------------- names and damage


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to reach the network, which the library believes to be there."""
    import datasets
    import huggingface_hub.constants

    attempts: list[Any] = []

    def refuse(*where: object, **_: object) -> None:
        attempts.append(where)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return attempts


def test_a_name_that_is_not_here_is_not_looked_for_elsewhere_unless_asked(no_network: list[Any]) -> None:
    for name in ("nobody/nothing", "nothing"):
        with pytest.raises(DataError, match=f"^hf:{name} is not on this machine; --download fetches it"):
            load(f"hf:{name}")
    with pytest.raises(DataError, match=r"^hf:nothing: streaming .* needs --download"):
        load("hf:nothing", streaming=True)
    done = call("data", "describe", "hf:nothing")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert not no_network


def test_a_name_that_the_library_has_read_before_is_here(
    tmp_path: Path, no_network: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    x = pixels(6)
    pets(x, CODES).to_parquet(tmp_path / "pets_of_mine" / "train.parquet")
    load(str(tmp_path / "pets_of_mine"))  # the library keeps it by the name of the folder
    np.testing.assert_array_equal(load("hf:pets_of_mine").array, x)
    assert not no_network


def test_the_library_is_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import datasets

    source = saved("Parquet files", pets(pixels(6), CODES), tmp_path)
    state = [datasets.is_progress_bar_enabled(), datasets.logging.get_verbosity(), datasets.config.HF_HUB_OFFLINE]
    capfd.readouterr()
    load(source)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert state == [
        datasets.is_progress_bar_enabled(), datasets.logging.get_verbosity(), datasets.config.HF_HUB_OFFLINE,
    ]  # fmt: skip


def test_what_is_damaged_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.parquet").write_bytes(b"PAR1junk")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.parquet").write_bytes(b"PAR1junk")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    for name in ("one.parquet", "files", "saved"):
        with pytest.raises(DataError, match=rf"^/.*{name} cannot be read"):
            load(str(tmp_path / name))
    assert capfd.readouterr().err == ""


# -------------------------------------------------------------------------------------------------- the command line


def test_a_saved_data_set_trains_and_predicts_from_the_command_line(tmp_path: Path) -> None:
    source = saved("folder with parts", pets(pixels(24), [0, 1, None] * 8), tmp_path)
    described = call("data", "describe", source)
    assert described.returncode == 0, described.stderr
    assert "24 observations, pictures of 12×10" in described.stdout
    assert "animal: 16 labelled, 8 unlabelled" in described.stdout
    done = call("train", source, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    predicted = call("predict", tmp_path / "run", source, "--split", "train", "-o", tmp_path / "p.csv")
    assert predicted.returncode == 0, predicted.stderr
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [str(row) for row in range(24)]
    assert {row["label"] for row in rows} <= set(ANIMALS)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # the report's own call
def test_features_are_found_by_name_when_a_model_predicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20))
    first = table(tmp_path / "first", {"a": a, "b": b, "label": ["u", "v"] * 10})
    other = table(tmp_path / "other", {"note": ["x"] * 20, "b": b, "more": b, "a": a})
    assert call("train", first, "--out", tmp_path / "run", "--quiet", *QUICK).returncode == 0
    for source in (first, other):
        done = call("predict", tmp_path / "run", source, "-o", f"{source}.csv")
        assert done.returncode == 0, done.stderr
    assert Path(f"{first}.csv").read_text() == Path(f"{other}.csv").read_text()
