"""MNIST and its kin, read from IDX files that are written here in small as they are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.data import idx_sets
from partedvae.data.dataset import DataError
from partedvae.data.idx_sets import read_idx_set
from partedvae.data.reading import Reading
from published import reading, write_idx, write_idx_set

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("below", ["", "torchvision"])
@pytest.mark.parametrize("spelling", ["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte"])
def test_idx_sets_are_read_as_published(tmp_path: Path, name: str, below: str, spelling: str) -> None:
    below = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}[name] if below else ""
    parts = write_idx_set(tmp_path / below, spelling)
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
    parts = write_idx_set(tmp_path)
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
        write_idx_set(tmp_path)
        write_idx(tmp_path / file, array)
        with pytest.raises(DataError, match=message):
            read_idx_set("mnist", reading(tmp_path))
    write_idx_set(tmp_path)
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
    write_idx_set(tmp_path / "debian", "{}-{}-idx{}-ubyte.gz")
    monkeypatch.setattr(idx_sets, "_DEBIAN_FASHION", tmp_path / "debian")
    assert len(read_idx_set("fashion-mnist", Reading())) == 30
    monkeypatch.setattr(idx_sets, "_DEBIAN_FASHION", tmp_path / "nowhere")
    with pytest.raises(DataError, match="--data-dir"):
        read_idx_set("fashion-mnist", Reading())
