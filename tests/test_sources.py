"""Each source of docs/data.md trains from end to end, and is described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from example_sources import make
from partedvae import PartedVAE
from partedvae.data import DataError, choose_labelled, load
from partedvae.data.describe import describe

SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("photos", {"size": (16, 12)}),
    ("manifest.csv", {"size": (16, 16), "pad": True}),
    ("wine.csv", {}),
    ("wine.parquet", {"labels": ("cultivar",), "features": ("hue", "alcohol")}),
    ("digits.npz", {}),
    ("digits.npy", {"label_file": "digit_labels.csv"}),
    ("nuclei.h5ad", {"labels": ("kind",), "missing": ("Unknown",)}),
    ("digits-hf", {"split": "test"}),
    ("digits.parquet", {}),
    ("digits.parquet", {"streaming": True}),
    ("digits", {"max_rows": 200}),
    ("mnist", {"data_dir": "mnist", "split": "train"}),
    ("fashion-mnist", {"data_dir": "fashion", "max_rows": 200}),
    ("dsprites", {"data_dir": "dsprites", "size": (16, 16)}),
    ("shapes3d", {"data_dir": "shapes3d", "size": (16, 16)}),
    ("celeba", {"data_dir": "celeba", "size": (16, 16), "labels": ("smile", "hat")}),
    ("sprites", {"max_rows": 200, "size": (16, 16), "labels": ("shape", "scale")}),
    ("sprites-rgb", {"max_rows": 200, "size": (16, 16)}),
    ("sprites-room", {"max_rows": 200, "size": (16, 16)}),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    make(folder)
    return folder


@pytest.mark.parametrize(("source", "options"), SOURCES, ids=[f"{source} {[*more]}" for source, more in SOURCES])
def test_each_source_is_described_and_trains(
    sources: Path, monkeypatch: pytest.MonkeyPatch, source: str, options: dict[str, Any]
) -> None:
    monkeypatch.chdir(sources)
    data = load(source, **options)
    lines = list(describe(source, data))
    assert f"{len(data):,} observations" in lines[0]
    assert not [line for line in lines if line.startswith("problem")]
    for attribute, column in zip(data.attributes, data.codes.T, strict=True):
        (line,) = [line for line in lines if line.startswith(f"{attribute.name}:")]
        assert f"{(column >= 0).sum():,} labelled, {(column < 0).sum():,} unlabelled" in line
    few = (
        data if options.get("streaming") else data.with_labels_of(choose_labelled(data, total=len(data.labelled) // 2))
    )
    model = PartedVAE(u_dim=2, z_dim=2, hidden_dim=16, max_epochs=1, random_state=0).fit(few)
    predicted = model.predict(data)
    assert len(predicted) == len(data)
    assert model.reconstruct(data).shape == data.x.shape
    rows = np.arange(min(5, len(data)))
    np.testing.assert_array_equal(model.predict(data.take(rows)), predicted[rows])


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", {"split": "test"}, "--split: does not apply to digits"),
        ("digits", {"missing": ("3",)}, "--missing: does not apply to digits"),
        ("digits", {"labels": ("shape",)}, "--label-columns: does not apply to digits"),
        ("sprites", {"features": ("x",)}, "--feature-columns: does not apply to sprites"),
        ("photos", {"streaming": True}, "--streaming: does not apply to photos"),
        ("wine.csv", {"groups": "x.yaml"}, "--groups: does not apply"),
        ("sprites", {"download": True}, "--download: does not apply"),
        ("sprites", {"data_dir": "."}, "--data-dir: does not apply"),
        ("digits", {"skip_bad": True}, "--skip-bad: does not apply"),
        ("digits", {"pad": True}, "--pad: .* Give --size too"),
        ("photos", {"features": ("a",)}, "--feature-columns: does not apply to photos"),
        ("photos", {"labels": ("a",)}, "--label-columns: does not apply to photos"),
        ("photos", {"data_dir": "."}, "--data-dir: does not apply to photos"),
        ("digits.npz", {"features": ("a",)}, "--feature-columns: does not apply to digits.npz"),
        ("digits.npz", {"data_dir": "."}, "--data-dir: does not apply to digits.npz"),
        ("wine.csv", {"data_dir": "."}, "--data-dir: .* table of features"),
        ("nuclei.h5ad", {"size": (8, 8), "labels": ("kind",)}, "--size: does not apply"),
        ("digits-hf", {"data_dir": "."}, "--data-dir: does not apply"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    sources: Path, monkeypatch: pytest.MonkeyPatch, source: str, options: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(sources)
    with pytest.raises(DataError, match=message):
        load(source, **options)


def test_a_mask_of_rows_is_not_taken_for_their_numbers(sources: Path) -> None:
    data = load(sources / "digits.npz")
    some = data.labelled[3:8]
    mask = np.isin(np.arange(len(data)), some)
    assert data.with_labels_of(mask).labelled.tolist() == some.tolist()
    np.testing.assert_array_equal(data.take(mask).array, data.array[some])
    with pytest.raises(ValueError, match="The mask of rows has shape"):
        data.take(mask[1:])


def test_options_that_cannot_be_are_one_line(sources: Path) -> None:
    with pytest.raises(DataError, match=r"wine\.csv: size=16: .*\.$"):
        load(sources / "wine.csv", size=16)
