"""Observations that stay where they are: training on them is training on the same in memory, and little is held."""

from __future__ import annotations

import csv
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from command_line import QUICK, call
from partedvae import PartedVAE, ondemand
from partedvae.data import DataError, Dataset, load
from partedvae.data.dataset import Numbered
from partedvae.data.lazy import Changed, Chosen, Rows, chunks, forgettable, in_memory, is_stream, take
from partedvae.data.sprites import Sprites
from partedvae.labels import Attribute
from partedvae.layout import Layout
from partedvae.ondemand import OnDemand

Array = NDArray[Any]

N = 60
ANIMAL = Attribute("animal", np.array(["cat", "dog", "hen"]))


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(
        **{"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "batch_size": 16, "max_epochs": 2, "random_state": 0, **settings}
    )


def weights(model: PartedVAE) -> dict[str, torch.Tensor]:
    return model.net_.state_dict()


def same(first: PartedVAE, second: PartedVAE) -> bool:
    return all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


def observations(kind: str) -> Array:
    rng = np.random.default_rng(0)
    shapes = {"grey": (10, 8), "colour": (8, 10, 3), "channels first": (3, 8, 10)}
    bytes_of = {name: rng.integers(256, size=(N, *shape), dtype=np.uint8) for name, shape in shapes.items()}
    kinds: dict[str, Array] = {
        **bytes_of,
        "floats": bytes_of["colour"] / 255,
        "wide floats": (4 * bytes_of["grey"] - 30).astype(np.float32),
        "features": rng.normal(3, 5, size=(N, 12)),
        "binary": rng.integers(2, size=(N, 12)).astype(np.float32),
        "integers": rng.integers(-9, 9, size=(N, 12)),
    }
    return kinds[kind]


KINDS = ("grey", "colour", "channels first", "floats", "wide floats", "features", "binary", "integers")


def labelled(x: Rows) -> Dataset:
    """Two thirds of the rows with one of three labels."""
    codes = np.where(np.arange(len(x)) % 3, np.arange(len(x)) % 2 + np.arange(len(x)) % 4 // 3, -1)
    return Dataset(x, codes[:, None], (ANIMAL,), Numbered(range(len(x))))


def mapped(folder: Path, x: Array, mode: Any = "r") -> Any:
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode=mode)


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mapped file is read on demand, and let go at once."""
    monkeypatch.setattr(ondemand, "_KEPT_IN_MEMORY", 0)
    monkeypatch.setattr(ondemand, "_HELD", 0)


class Watched:
    """Lazy rows that remember how many were asked for at once."""

    def __init__(self, x: Array) -> None:
        self.x, self.shape, self.dtype = x, x.shape, x.dtype
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Array) -> Array:
        self.asked.append(len(rows))
        return self.x[rows]


# --------------------------------------------------------------------------------------------------------- training


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_learns_the_same_of_a_mapped_file_as_of_memory(tmp_path: Path, kind: str) -> None:
    x = observations(kind)
    far = mapped(tmp_path, x)
    assert isinstance(quick()._read(far, fitting=True), OnDemand)
    model, other = quick().fit(labelled(x)), quick().fit(labelled(far))
    assert model.likelihood_ == other.likelihood_
    if kind in ("features", "integers"):  # whose mean and deviation may differ in the last digit
        for name, value in weights(model).items():
            torch.testing.assert_close(weights(other)[name], value, rtol=1e-4, atol=1e-5)
    else:
        assert same(model, other)
        assert model.history_ == other.history_
    for ask in (model.predict, model.transform, model.score_samples, model.reconstruct):
        np.testing.assert_array_equal(ask(far), ask(x))
    assert model.suggest(far, 3, random_state=0).tolist() == model.suggest(x, 3, random_state=0).tolist()


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("settings", [{}, {"validation_fraction": 0.3}, {"balance_labels": True}], ids=str)
def test_chosen_rows_stay_where_they_are(tmp_path: Path, settings: dict[str, Any]) -> None:
    x = observations("colour")
    rows = np.random.default_rng(1).permutation(N)[:41]
    near, far = labelled(x).take(rows), labelled(mapped(tmp_path, x)).take(rows)
    assert isinstance(far.x, Chosen)
    again = far.take(np.arange(40, 0, -1))
    assert isinstance(again.x, Chosen)
    assert not isinstance(again.x.base, Chosen)
    np.testing.assert_array_equal(again.array, x[rows[40:0:-1]])
    model, other = quick(**settings).fit(near), quick(**settings).fit(far)
    assert same(model, other)
    assert model.history_ == other.history_


def test_sprites_are_drawn_as_they_are_needed() -> None:
    data = load("sprites", max_rows=300, size=(16, 16))
    assert isinstance(data.x, Chosen)
    assert isinstance(data.x.base, Sprites)
    few = data.with_labels_of(data.labelled[::3])
    near = Dataset(few.array, few.codes, few.attributes, few.ids)
    assert in_memory(near.x)
    model, other = quick(validation_fraction=0.2).fit(near), quick(validation_fraction=0.2).fit(few)
    assert same(model, other)
    np.testing.assert_array_equal(model.transform(data), model.transform(data.array))


@pytest.mark.usefixtures("nothing_kept")
def test_validation_data_may_stay_where_they_are(tmp_path: Path) -> None:
    x = observations("floats")
    histories = [
        quick().fit(labelled(x), validation_data=labelled(others)).history_ for others in (x, mapped(tmp_path, x))
    ]
    assert histories[0] == histories[1]


def test_a_small_file_is_read_whole(tmp_path: Path) -> None:
    assert isinstance(quick()._read(mapped(tmp_path, observations("grey")), fitting=True), torch.Tensor)


# -------------------------------------------------------------------------------------------------- what is held


class Mapping:
    """What stands for a mapped file, and counts what is asked of it."""

    def __init__(self) -> None:
        self.advice: list[int] = []

    def madvise(self, advice: int) -> None:
        self.advice.append(advice)

    @property
    def let_go(self) -> int:
        return self.advice.count(mmap.MADV_DONTNEED)


def test_what_has_been_read_of_a_mapped_file_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = observations("grey")
    far = mapped(tmp_path, x)
    raw = OnDemand(far, Layout.of(far))
    monkeypatch.setattr(raw, "_mapping", counter := Mapping())
    monkeypatch.setattr(ondemand, "_TOUCHED_A_ROW", 1000)
    monkeypatch.setattr(ondemand, "_HELD", 10_500)
    for start in range(0, 40, 4):
        raw[torch.arange(start, start + 4)]
    assert counter.let_go == 3  # after rows 12, 24 and 36: 11 rows may be held
    for part in raw.split(20):
        assert len(part) == 20
    assert counter.let_go == 6
    np.testing.assert_array_equal(raw[torch.arange(N)][:, 0].numpy(), x)


def test_the_first_look_at_all_rows_lets_them_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = mapped(tmp_path, observations("floats"))
    counter = Mapping()
    monkeypatch.setattr("partedvae.data.lazy.forgettable", lambda _: counter)
    row_bytes = 8 * 8 * 10 * 3
    assert [start for start, _ in chunks(far, bytes_at_once=25 * row_bytes)] == [0, 25, 50]
    assert counter.let_go == 3


@pytest.mark.usefixtures("nothing_kept")
def test_changes_that_no_file_has_are_kept(tmp_path: Path) -> None:
    """A mapping that is copied on writing loses its changes with its memory."""
    x = observations("floats")
    far = mapped(tmp_path, np.zeros_like(x), mode="c")
    far[:] = x
    assert forgettable(far) is forgettable(far[3:]) is None
    assert same(quick().fit(labelled(far)), quick().fit(labelled(x)))
    np.testing.assert_array_equal(far, x)
    buffer = mmap.mmap(-1, x.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    nowhere = np.frombuffer(buffer, dtype=x.dtype).reshape(x.shape)
    nowhere[:] = x
    assert same(quick().fit(labelled(nowhere)), quick().fit(labelled(x)))
    np.testing.assert_array_equal(nowhere, x)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_what_a_file_has_can_be_let_go(tmp_path: Path, mode: str) -> None:
    far = mapped(tmp_path, observations("grey"), mode)
    for view in (far, far[5:], np.asarray(far), Chosen(far, np.arange(3)), take(far, np.array([2, 1]))):
        assert isinstance(forgettable(view), mmap.mmap)
    assert forgettable(far[[1, 2]]) is None  # a copy
    assert forgettable(np.zeros(3)) is None


# --------------------------------------------------------------------------------------------------- a look at all


@pytest.mark.parametrize("what", ["NaN", "infinity"])
@pytest.mark.parametrize("kind", ["features", "wide floats"])
@pytest.mark.usefixtures("nothing_kept")
def test_what_is_not_finite_is_found_with_its_row(tmp_path: Path, kind: str, what: str) -> None:
    x = observations(kind)
    place = (47, 5) if kind == "features" else (47, 5, 2)
    x[place] = np.nan if what == "NaN" else np.inf
    where = "column 5" if kind == "features" else r"pixel \(5, 2\)"
    for far in (mapped(tmp_path, x), take(mapped(tmp_path, x), np.arange(N - 1))):
        with pytest.raises(ValueError, match=rf"{what} at row 47, {where}"):
            quick().fit(labelled(far))


@pytest.mark.parametrize("kind", ["features", "binary", "pictures"])
def test_observations_are_looked_at_in_parts(kind: str) -> None:
    """The finite check, the likelihood, the scaling and what a model says: none asks for all rows at once."""
    n = 20_000
    rng = np.random.default_rng(0)
    ones = (rng.random((n, 1024)) > 0.5).astype(np.float32)
    x = {"features": 3 * ones - 1, "binary": ones, "pictures": 5 * ones.reshape(n, 32, 32)}[kind]
    far = Watched(x)
    y = np.where(np.arange(n) < 10, np.arange(n) % 2, -1)
    model = quick(max_epochs=1, trainer_options={"limit_train_batches": 2}).fit(far, y)
    assert max(far.asked) <= 2**24 // 1024 < n
    expected = {"features": (0.5, 1.5), "binary": (0, 1), "pictures": (0, 5)}[kind]  # offset and scale
    assert float(model.net_.scaling.offset.mean()) == pytest.approx(expected[0], abs=0.01)
    assert float(model.net_.scaling.scale.mean()) == pytest.approx(expected[1], rel=0.01)
    assert model.likelihood_ == ("gaussian" if kind == "features" else "bernoulli")
    far.asked.clear()
    few = Chosen(far, np.arange(3000))
    assert len(model.predict(few)) == 3000
    assert max(far.asked) < n


# -------------------------------------------------------------------------------------------------- the command line


def test_sprites_train_and_predict_from_the_command_line(tmp_path: Path) -> None:
    sprites = ("sprites", "--size", 16, "--max-rows", 400)
    described = call("data", "describe", *sprites)
    assert described.returncode == 0, described.stderr
    assert "400 observations, pictures of 16×16, uint8, read on demand" in described.stdout
    run = tmp_path / "run"
    done = call("train", *sprites, "--labels-per-class", 5, "--out", run, *QUICK)
    assert done.returncode == 0, done.stderr
    predicted = call("predict", run, "sprites", "--max-rows", 400, "-o", tmp_path / "p.csv")
    assert predicted.returncode == 0, predicted.stderr
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    assert {row["label"] for row in rows} <= {"square", "ellipse", "heart"}


def test_a_size_that_is_not_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="--size 17x17"):
        load("sprites", max_rows=300, size=(17, 17))


class ReadOnce:
    """Rows that are cheap to read in order, and only so."""

    shape, dtype = (5, 2), np.dtype(np.float64)

    def __len__(self) -> int:
        return 5

    def __getitem__(self, rows: Any) -> Any:
        raise AssertionError("rows are drawn from what should be read in order")

    def parts(self, n_rows: int, rows: Any = None) -> Any:
        yield from np.array_split(np.arange(10.0).reshape(5, 2)[slice(None) if rows is None else rows], 2)


def test_what_is_changed_as_it_is_read_is_read_in_the_order_that_it_can_be() -> None:
    doubled = Changed(ReadOnce(), (1,), lambda part: 2 * part[:, :1])
    assert is_stream(doubled)
    for rows, expected in ((doubled, [0, 4, 8, 12, 16]), (take(doubled, np.array([1, 3])), [4, 12])):
        assert np.concatenate([part for _, part in chunks(rows)])[:, 0].tolist() == expected
