"""Streams: the order of their rows, what is held of them, and that training on one is training all the same."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from datasets import iterable_dataset
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from PIL import Image

from command_line import QUICK, call
from hub_files import ANIMALS, encoded, pets, pixels, saved
from partedvae import streaming
from partedvae.batches import Observations
from partedvae.data import DataError, Dataset, Reading, load, stream
from partedvae.data.stream import Stream
from partedvae.layout import Layout
from partedvae.ondemand import OnDemand
from partedvae.streaming import StreamLoader
from streams import CODES, N, blocks, quick, rows_of, same, the_stream

Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each array had that was made of a stream."""
    sizes: list[int] = []
    plain = stream._joined

    def watched(groups: Iterator[Array], n_rows: int) -> Iterator[Array]:
        for part in plain(groups, n_rows):
            sizes.append(len(part))
            yield part

    monkeypatch.setattr(stream, "_joined", watched)
    return sizes


# ------------------------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize("kind", ["folder", "Parquet files", "Parquet file"])
def test_a_stream_has_the_rows_of_its_source_in_their_order(tmp_path: Path, kind: str) -> None:
    source = saved(kind, pets(blocks(), CODES), tmp_path)
    data, whole = load(source, streaming=True), load(source)
    np.testing.assert_array_equal(np.concatenate(list(the_stream(data).parts(7))), whole.array)
    np.testing.assert_array_equal(data.array, whole.array)
    np.testing.assert_array_equal(data.codes, whole.codes)
    assert data.x.shape == whole.x.shape
    assert list(data.ids) == list(whole.ids)
    few = load(source, streaming=True, max_rows=5)
    np.testing.assert_array_equal(few.array, whole.array[:5])
    assert len(few.codes) == 5


def test_some_rows_are_found_whatever_their_order(streamed: Dataset) -> None:
    x = the_stream(streamed)
    assert x[np.array([7, 2, 7])][:, 0, 0].tolist() == [7, 2, 7]
    assert x[np.arange(0)].shape == (0, 12, 10)


def test_an_epoch_of_one_file_is_not_waited_for(streamed: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(iterable_dataset.time, "sleep", waits.append)
    assert sorted(rows_of(the_stream(streamed).epoch(0, 0, 16))) == list(range(N))
    assert waits == []


def test_each_epoch_has_every_row_once_in_an_order_of_its_own(streamed: Dataset) -> None:
    x = the_stream(streamed)
    orders = {(seed, epoch): rows_of(x.epoch(epoch, seed, n_rows=16)) for seed in (0, 1) for epoch in range(3)}
    assert all(sorted(order) == list(range(N)) for order in orders.values())
    assert len(set(map(tuple, orders.values()))) == len(orders)
    assert orders[0, 2] == rows_of(x.epoch(2, 0, n_rows=7))


@pytest.mark.parametrize(("kind", "world_size"), [("Parquet file", 2), ("Parquet files", 2), ("Parquet files", 4)])
@pytest.mark.parametrize("epoch", [0, 1])
def test_the_shares_of_several_processes_are_together_the_rows(
    tmp_path: Path, kind: str, world_size: int, epoch: int
) -> None:
    x = the_stream(load(saved(kind, pets(blocks(), CODES), tmp_path), streaming=True))
    shares = [rows_of(x.epoch(epoch, 0, 8, rank, world_size)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {N // world_size}
    assert sorted(row for share in shares for row in share) == list(range(N))
    if kind == "Parquet files" and world_size == 2:
        assert {frozenset(share) for share in shares} == {frozenset(range(20)), frozenset(range(20, 40))}


def test_shares_of_different_length_give_equally_many_steps(tmp_path: Path) -> None:
    data = pets(blocks(), CODES)
    data.select(range(30)).to_parquet(tmp_path / "pets" / "train-0.parquet")
    data.select(range(30, N)).to_parquet(tmp_path / "pets" / "train-1.parquet")
    x = the_stream(load(str(tmp_path / "pets"), streaming=True))
    shares = sorted((rows_of(x.epoch(0, 0, 8, rank, 2)) for rank in range(2)), key=lambda share: min(share))
    assert len(set(shares[0])) == 20
    assert set(shares[0]) < set(range(30))
    assert Counter(shares[1]) == Counter(2 * list(range(30, N)))  # once used up, it starts again


def test_more_processes_than_rows_are_refused_rather_than_waited_for(tmp_path: Path) -> None:
    x = the_stream(load(saved("Parquet file", pets(blocks(2), [0, 1]), tmp_path), streaming=True))
    with pytest.raises(DataError, match="no rows for one of the processes"):
        list(x.epoch(0, 0, 8, rank=2, world_size=3))


def test_batches_are_of_the_share_with_labelled_rows_beside_them(
    streamed: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.from_numpy(streamed.codes)
    seen: list[Sequence[int]] = []
    labelled = Counter[int]()
    for rank in range(2):
        monkeypatch.setattr(streaming, "world", lambda rank=rank: (rank, 2))
        x = OnDemand(the_stream(streamed), Layout.of(streamed.x))
        loader = StreamLoader(Observations(x, labels), 8, seed=0, n_processes=2)
        batches = list(loader)
        assert len(loader) == len(batches) == 3
        seen.append([int(row) for batch in batches for row in batch.x[:, 0, 0, 0]])
        for batch in batches:
            rows = batch.x_labelled[:, 0, 0, 0].long()
            assert torch.equal(labels[rows], batch.labels)
            labelled.update(rows.tolist())
    assert sorted([*seen[0], *seen[1]]) == list(range(N))
    assert set(labelled) == set(streamed.labelled.tolist())


# --------------------------------------------------------------------------------------------------------- training


def test_training_on_a_stream_holds_little_and_says_what_it_would_of_an_array(
    source: str, streamed: Dataset, held: list[int]
) -> None:
    model = quick(max_epochs=30).fit(streamed)
    assert max(held) == len(streamed.labelled) < N
    whole = load(source)
    known = np.arange(N) % 2  # of all, also where training saw no label
    assert model.score(whole, np.array(ANIMALS)[known]) > 0.8
    np.testing.assert_array_equal(model.predict(streamed), model.predict(whole))
    np.testing.assert_array_equal(model.transform(streamed), model.transform(whole))
    np.testing.assert_allclose(model.score_samples(streamed), model.score_samples(whole), rtol=1e-5)
    assert model.score(streamed, streamed.y) == model.score(whole, whole.y)
    suggested = model.suggest(streamed, 5, random_state=0)
    assert suggested.tolist() == model.suggest(whole, 5, random_state=0).tolist()
    assert not np.isin(suggested, streamed.labelled).any()
    assert [record["step"] for record in model.history_[:2]] == [3, 6]


def test_the_same_seed_gives_the_same_model(streamed: Dataset) -> None:
    models = [quick(random_state=seed).fit(streamed) for seed in (0, 0, 1)]
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


@pytest.mark.parametrize("batch", [0, 1])
def test_a_resumed_run_is_the_run_that_was_never_stopped(batch: int, streamed: Dataset, tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_batch_start(
            self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, _: Any, batch_idx: int
        ) -> None:
            if (trainer.current_epoch, batch_idx) == (2, batch):
                raise RuntimeError("stopped here")

    settings = {"max_epochs": 4, "capacity_steps": 8}
    whole = quick(**settings).fit(streamed)
    with pytest.raises(RuntimeError, match="stopped here"):
        quick(**settings, trainer_options={"callbacks": [Stop()]}).fit(
            streamed, checkpoints=tmp_path, checkpoint_minutes=0
        )
    resumed = quick(**settings).fit(streamed, checkpoints=tmp_path, resume_from=tmp_path / "last.ckpt")
    assert same(whole, resumed)
    assert whole.history_ == resumed.history_


def test_training_asks_for_one_epoch_after_the_other(streamed: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    plain = Stream.epoch

    def watched(self: Stream, number: int, *others: Any) -> Iterator[Array]:
        asked.append(number)
        return plain(self, number, *others)

    monkeypatch.setattr(Stream, "epoch", watched)
    quick(max_epochs=3, balance_labels=True).fit(streamed)
    assert asked == [0, 1, 2]


def test_validation_data_may_be_in_memory_or_a_stream(source: str, streamed: Dataset) -> None:
    losses = [
        quick(max_epochs=1).fit(streamed, validation_data=others).history_[0]["val_loss"]
        for others in (load(source), streamed)
    ]
    assert losses[0] == pytest.approx(losses[1])


def test_chosen_rows_are_read_in_one_pass(streamed: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = quick().fit(streamed)
    rows = np.arange(1, N, 3)
    expected = model.transform(streamed)[rows]
    passes: list[Array] = []
    plain = Stream._some

    def counted(self: Stream, wanted: Array) -> Iterator[dict[str, Any]]:
        passes.append(wanted)
        return plain(self, wanted)

    monkeypatch.setattr(Stream, "_some", counted)
    monkeypatch.setattr("partedvae.inference._ACTIVATIONS_AT_ONCE", 8 * 120 * 4)  # four pictures at once
    np.testing.assert_allclose(model.transform(streamed.take(rows)), expected, atol=1e-6)
    assert len(passes) == 1
    np.testing.assert_allclose(model.transform(streamed.take(rows[::-1])), expected[::-1], atol=1e-6)


# ---------------------------------------------------------------------------------------------------------- refusals


def test_a_stream_is_not_divided(streamed: Dataset) -> None:
    with pytest.raises(ValueError, match="A stream cannot be divided: validate on data of its own"):
        quick(validation_fraction=0.2).fit(streamed)
    with pytest.raises(ValueError, match="Of a stream no rows can be drawn"):
        quick().fit(streamed.take(np.arange(20)))


def test_no_more_labelled_rows_are_held_than_memory_may_have(
    streamed: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_LABELLED_IN_MEMORY", 5)
    with pytest.raises(ValueError, match=r"20 observations of the stream are labelled.*at most 5.*--labels"):
        quick().fit(streamed)
    quick(max_epochs=1).fit(streamed.with_labels_of(streamed.labelled[:5]))


def test_pictures_of_different_sizes_need_one_size(tmp_path: Path) -> None:
    x = [pixels(1)[0], pixels(1, 20, 30)[0], pixels(1)[0]]
    source = saved("folder", pets(x, [0, 1, 0]), tmp_path)
    with pytest.raises(DataError, match=r"is 20x30, the first 12x10\. --size"):
        quick().fit(load(source, streaming=True))
    np.testing.assert_array_equal(
        load(source, streaming=True, size=(16, 8), pad=True).array, load(source, size=(16, 8), pad=True).array
    )


@pytest.mark.parametrize("first", ["grey", "colour"])
def test_the_first_picture_decides_between_grey_and_colour(tmp_path: Path, first: str) -> None:
    x = [pixels(1)[0], pixels(1, 12, 10, 3)[0]][:: 1 if first == "grey" else -1]
    data = load(saved("folder", pets(x, [0, 1]), tmp_path), streaming=True)
    assert data.x.shape == ((2, 12, 10) if first == "grey" else (2, 12, 10, 3))
    np.testing.assert_array_equal(data.array[0], x[0])


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("damage", ["cut short", "absent"])
def test_a_damaged_picture_stops_a_stream_and_says_what_goes_on_without_it(
    tmp_path: Path, damage: str, processes: bool, request: pytest.FixtureRequest
) -> None:
    before = set(multiprocessing.active_children())
    if processes:
        request.getfixturevalue("by_processes")
    x = blocks(4)
    bad = None if damage == "absent" else {"bytes": encoded(x[2])[:60], "path": "third.png"}
    source = saved("folder", pets([x[0], x[1], bad, x[3]], [0, 1, 0, 1]), tmp_path)
    called = "A picture of the stream is not a picture" if damage == "absent" else "third.png cannot be read"
    with pytest.raises(DataError, match=rf"{called}.*\. Without --streaming, --skip-bad goes on without it"):
        quick().fit(load(source, streaming=True, skip_bad=True))
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize("processes", [False, True])
def test_pages_that_a_stream_does_not_read_are_told_once(
    tmp_path: Path, processes: bool, request: pytest.FixtureRequest
) -> None:
    if processes:
        request.getfixturevalue("by_processes")
    pages = [Image.fromarray(page) for page in blocks(2)]
    pages[0].save(file := io.BytesIO(), "TIFF", save_all=True, append_images=pages[1:])
    many = {"bytes": file.getvalue(), "path": "stack.tif"}
    data = load(saved("folder", pets([blocks(1)[0], many, blocks(1)[0], many], [0, 1, 0, 1]), tmp_path), streaming=True)
    with pytest.warns(UserWarning, match=r"stack\.tif has further pages or frames, of which only the first") as told:
        quick().fit(data)
    assert sum("further pages" in str(warning.message) for warning in told) == 1
    np.testing.assert_array_equal(data.array[1], blocks(1)[0])


def test_a_stream_without_rows_is_refused(tmp_path: Path) -> None:
    source = saved("Parquet file", pets(blocks(2), [0, 1]).select([]), tmp_path)
    for streamed in (False, True):
        with pytest.raises(DataError, match=r"pets\.parquet .*(no rows|no data)"):
            load(source, streaming=streamed)


def test_pictures_inside_an_archive_are_read(tmp_path: Path) -> None:
    import datasets

    x = blocks(4)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for row, picture in enumerate(x):
            archive.writestr(f"{row}.png", encoded(picture))
    part = datasets.load_dataset("imagefolder", data_files=str(tmp_path / "pictures.zip"), streaming=True)["train"]
    found = Stream(part, "image", Reading(), 4)
    np.testing.assert_array_equal(found[np.arange(4)], x)


# -------------------------------------------------------------------------------------------------- the command line


def test_a_stream_trains_and_predicts_from_the_command_line(source: str, tmp_path: Path) -> None:
    described = call("data", "describe", source, "--streaming")
    assert described.returncode == 0, described.stderr
    assert "40 observations, pictures of 12×10, uint8, read on demand" in described.stdout
    run = tmp_path / "run"
    done = call("train", source, "--streaming", "--labels-per-class", 5, "--out", run, *QUICK)
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "metrics.json").read_text())["n_labelled"] == 10
    assert call("predict", run, source, "--streaming", "-o", tmp_path / "p.csv").returncode == 0
    assert call("predict", run, source, "-o", tmp_path / "q.csv").returncode == 0
    assert call("suggest", run, source, "-n", 3, "-o", tmp_path / "s.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "q.csv").read_text()
    with (tmp_path / "p.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == [str(row) for row in range(N)]


def test_a_stream_has_no_rows_held_out(source: str, tmp_path: Path) -> None:
    done = call("train", source, "--streaming", "--holdout", 0.2, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 2
    assert done.stderr.startswith("partedvae: --holdout: a stream cannot be divided")
    assert not list(tmp_path.iterdir())
