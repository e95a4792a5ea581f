"""Small data that many tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from command_line import QUICK, call
from hub_files import pets, saved
from partedvae import PartedVAE
from partedvae.data import Dataset, ahead, decoding, dsprites, load, shapes3d, stream
from partedvae.data import cache as cache_module
from partedvae.report import page
from partedvae.report.sections.training import training
from picture_files import save
from streams import CODES, blocks

Array = NDArray[Any]

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of the programs that tests start

# How long an example takes is the machine's affair, which may be busy.
settings.register_profile("partedvae", deadline=None)
settings.load_profile("partedvae")

# Caches that no other run has filled. Set before any test is imported, since libraries look at them as they are.
os.environ["PARTEDVAE_CACHE"] = tempfile.mkdtemp(prefix="partedvae-test-cache-")
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="partedvae-test-hub-")
os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    for name in ("PARTEDVAE_CACHE", "HF_HOME"):
        shutil.rmtree(os.environ[name], ignore_errors=True)


@pytest.fixture(scope="session")
def digits() -> tuple[Array, Array, Array]:
    """300 real digits (N, 8, 8) in [0, 1], all their labels, and the same with 200 of them hidden."""
    bunch = load_digits()
    x, y = bunch.images[:300] / 16, bunch.target[:300]
    return x, y, np.where(np.arange(300) < 100, y, -1)


@pytest.fixture(scope="session")
def fitted(digits: tuple[Array, Array, Array]) -> PartedVAE:
    """A model of the digits; tests must leave it as it is."""
    x, _, few = digits
    return PartedVAE(u_dim=8, z_dim=3, max_epochs=100, random_state=0).fit(x, few)


@pytest.fixture(scope="session")
def two_attributes() -> tuple[Array, Array]:
    """200 feature vectors with a colour and a size, either of which may be missing."""
    rng = np.random.default_rng(0)
    colour, size = rng.integers(3, size=200), rng.integers(2, size=200)
    x = rng.normal(scale=0.3, size=(200, 12))
    x[:, :3] += 2 * np.eye(3)[colour]
    x[:, 3:5] += 2 * np.eye(2)[size]
    y = np.stack([np.array(["red", "green", "blue"], dtype=object)[colour], size.astype(object)], axis=1)
    y[rng.random(200) < 0.5, 0] = None
    y[rng.random(200) < 0.5, 1] = -1
    return x, y


@pytest.fixture(scope="session")
def fitted_two(two_attributes: tuple[Array, Array]) -> PartedVAE:
    """A model of two attributes; tests must leave it as it is."""
    x, y = two_attributes
    return PartedVAE(u_dim=2, z_dim=3, max_epochs=60, random_state=0).fit(x, y)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on digits; tests must leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    done = call("train", "digits", "--labels-per-class", 5, "--holdout", 0.2, "--out", folder, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on features with two attributes."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    y = np.stack([rng.integers(3, size=80), rng.integers(2, size=80)], axis=1)
    y[::2] = -1
    np.savez(folder / "data.npz", X=rng.normal(size=(80, 6)), y=y)
    done = call("train", folder / "data.npz", "--out", folder / "run", "--quiet", *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    return folder / "run"


@pytest.fixture
def short_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of a run, which takes seconds and has tests of its own, says no more than how training went."""
    monkeypatch.setattr(page, "all_sections", lambda subject: [training(subject)])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PARTEDVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a small file is worth the cache, and comes in several parts."""
    monkeypatch.setattr(cache_module, "WORTH_A_FILE", 0)
    for module in (dsprites, shapes3d):
        monkeypatch.setattr(module, "_BYTES_AT_ONCE", 5 * 64 * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cats and two dogs, 8 × 8, each of a grey of its own; one is unlabelled."""
    for grey, name in enumerate(("cat/a.png", "cat/b.png", "cat/c.png", "dog/d.png", "dog/e.png", "unlabelled/f.png")):
        save(tmp_path / "pets" / name, Image.new("L", (8, 8), 40 * grey))
    return tmp_path / "pets"


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Parquet file of pictures, half of them labelled; tests must leave it as it is."""
    return saved("Parquet file", pets(blocks(), CODES), tmp_path_factory.mktemp("stream"))


@pytest.fixture
def streamed(source: str) -> Dataset:
    """The same as a stream."""
    return load(source, streaming=True)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an epoch of several Parquet files the library waits some seconds: a process that ends then ends cleanly."""
    import datasets

    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False)


@pytest.fixture
def by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures are decoded as many are, and by more than one process on any machine."""
    monkeypatch.setattr(decoding, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(stream, "_GROUP", 3)
    monkeypatch.setattr(ahead, "idle_cores", lambda: 2)
