"""Runs that are killed, asked to stop, or find their newest checkpoint damaged end as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from partedvae import PartedVAE
from partedvae.checkpoint_files import LAST, PREVIOUS, CheckpointError, DamagedCheckpointWarning, is_whole
from partedvae.extra_terms import Seen
from partedvae.training import Training

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]

# Schedulers, early stopping and validation have states of their own; 300 rows less 60 are 4 batches.
SETTINGS: dict[str, Any] = {
    "u_dim": 2, "z_dim": 2, "hidden_dim": 16, "max_epochs": 4, "random_state": 0, "lr_patience": 0,
    "validation_fraction": 0.2, "early_stopping": True, "early_stopping_patience": 1,
}  # fmt: skip
ALL_EPOCHS: dict[str, Any] = {"early_stopping": False}
N_BATCHES = 4
KILLS = 50


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """Heed SIGINT, which is ignored by what a shell has started in the background."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def model(**settings: Any) -> PartedVAE:
    return PartedVAE(**{**SETTINGS, **settings})


def assert_same(first: PartedVAE, second: PartedVAE) -> None:
    weights = second.net_.state_dict()
    for name, value in first.net_.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert first.history_ == second.history_


@pytest.fixture(scope="module")
def whole(digits: Digits) -> PartedVAE:
    """The run that was never stopped."""
    return model().fit(digits[0], digits[2])


def go_on(folder: Path) -> None:
    """In a process of its own: begin, or go on with, a run, and keep the model when it is done."""
    torch.set_num_threads(1)
    bunch = load_digits()
    y = np.where(np.arange(300) < 100, bunch.target[:300], -1)
    begun = any((folder / name).exists() for name in (LAST, PREVIOUS))
    fitted = model().fit(
        bunch.images[:300] / 16, y, checkpoints=folder, checkpoint_minutes=0, resume_from=folder if begun else None
    )
    fitted.save(folder / "model")


def test_fifty_kills_at_random_moments_change_no_bit(whole: PartedVAE, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["partedvae.fitting", "sklearn.datasets"])
    started = time.perf_counter()
    for name in ("first", "timed"):  # the first also waits for the server
        started = time.perf_counter()
        process = context.Process(target=go_on, args=(tmp_path / name,))
        process.start()
        process.join()
        assert process.exitcode == 0
    takes = time.perf_counter() - started
    moments = np.random.default_rng(0)
    kills = runs = 0
    while kills < KILLS:
        folder = tmp_path / str(runs)
        while True:
            process = context.Process(target=go_on, args=(folder,))
            process.start()
            process.join(moments.uniform(0, takes))
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            kills += 1
        assert process.exitcode == 0
        assert_same(PartedVAE.load(folder / "model"), whole)
        assert sorted(path.name for path in folder.iterdir()) == [LAST, "model", PREVIOUS]
        runs += 1


class Ask(Callback):
    """Sends this process a signal as a step begins."""

    def __init__(self, step: int, number: int, times: int = 1) -> None:
        self.step, self.number, self.times = step, number, times

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch * N_BATCHES + batch_idx == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
                time.sleep(0.05)  # two that come before Python has looked are one


@pytest.mark.parametrize("step", [0, 3, 5, 7])  # the first, the last of an epoch, within one, the last of another
@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_run_that_is_asked_to_stop_ends_its_step_and_leaves_a_checkpoint(
    step: int, number: int, how: type[BaseException], digits: Digits, whole: PartedVAE, tmp_path: Path
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    x, _, few = digits
    asked = model(trainer_options={"callbacks": [Ask(step, number)]})
    with pytest.raises(how) as left:
        asked.fit(x, few, checkpoints=tmp_path)
    if how is SystemExit:
        assert left.value.code == 128 + signal.SIGTERM  # type: ignore[attr-defined]  # left is of the parametrised type
    assert {each: signal.getsignal(each) for each in before} == before
    state = torch.load(tmp_path / LAST, weights_only=True)["partedvae"]
    assert state["steps_taken"] == step + 1
    assert_same(model().fit(x, few, checkpoints=tmp_path, resume_from=tmp_path), whole)


def test_a_request_after_the_last_look_of_a_step_or_of_the_run_is_heard(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _, few = digits
    whole = model(**ALL_EPOCHS).fit(x, few)
    for number, (hook, steps_taken) in enumerate({"on_train_batch_end": 2, "on_train_end": 16}.items()):
        with monkeypatch.context() as late:
            # the module's hooks come after all callbacks have been called
            late.setattr(Training, hook, lambda *_: signal.raise_signal(signal.SIGTERM), raising=False)
            with pytest.raises(SystemExit) as left:
                model(**ALL_EPOCHS).fit(x, few, checkpoints=tmp_path / str(number))
        assert left.value.code == 128 + signal.SIGTERM
        assert torch.load(tmp_path / str(number) / LAST, weights_only=True)["partedvae"]["steps_taken"] == steps_taken
        resumed = model(**ALL_EPOCHS).fit(x, few, resume_from=tmp_path / str(number))
        assert_same(resumed, whole)


def test_a_request_is_heard_without_checkpoints(digits: Digits) -> None:
    with pytest.raises(SystemExit) as left:
        model(trainer_options={"callbacks": [Ask(1, signal.SIGTERM)]}).fit(digits[0], digits[2])
    assert left.value.code == 128 + signal.SIGTERM


def test_a_second_request_is_not_waited_for(digits: Digits, tmp_path: Path) -> None:
    asked = model(trainer_options={"callbacks": [Ask(1, signal.SIGINT, times=2)]})
    with pytest.raises(KeyboardInterrupt):
        asked.fit(digits[0], digits[2], checkpoints=tmp_path)
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_the_process_was_started_to_ignore_is_ignored(
    number: int, digits: Digits, whole: PartedVAE, tmp_path: Path
) -> None:
    signal.signal(number, signal.SIG_IGN)
    asked = model(trainer_options={"callbacks": [Ask(1, number, times=2)]})
    assert_same(asked.fit(digits[0], digits[2], checkpoints=tmp_path), whole)


@pytest.fixture
def stopped(digits: Digits, tmp_path: Path) -> Path:
    """A folder of checkpoints: the last within an epoch, and the one before it."""
    asked = model(trainer_options={"callbacks": [Ask(5, signal.SIGINT)]})
    with pytest.raises(KeyboardInterrupt):
        asked.fit(digits[0], digits[2], checkpoints=tmp_path, checkpoint_minutes=0)
    assert is_whole(tmp_path / LAST)
    assert is_whole(tmp_path / PREVIOUS)
    return tmp_path


def cut(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turn_a_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Leave nothing of a file but its name."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, turn_a_bit, empty])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    damage: Any, digits: Digits, whole: PartedVAE, stopped: Path
) -> None:
    x, _, few = digits
    damage(stopped / LAST)
    with pytest.warns(DamagedCheckpointWarning, match=r"last\.ckpt is damaged: going on from .*previous\.ckpt"):
        resumed = model().fit(x, few, checkpoints=stopped, resume_from=stopped)
    assert_same(resumed, whole)
    damage(stopped / LAST)
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged.*previous\.ckpt"):
        model().fit(x, few, resume_from=stopped / LAST)
    damage(stopped / PREVIOUS)
    with pytest.raises(CheckpointError, match=r"last\.ckpt and .*previous\.ckpt: damaged"):
        model().fit(x, few, resume_from=stopped)


def test_a_kill_between_the_two_renames_costs_nothing(digits: Digits, whole: PartedVAE, stopped: Path) -> None:
    (stopped / LAST).replace(stopped / PREVIOUS)
    assert_same(model().fit(digits[0], digits[2], resume_from=stopped), whole)


def test_a_fit_does_not_begin_anew_over_one_that_was_stopped(digits: Digits, stopped: Path, tmp_path: Path) -> None:
    x, _, few = digits
    kept = {path.name: path.read_bytes() for path in stopped.iterdir()}
    with pytest.raises(CheckpointError, match="is of an earlier fit that was stopped, and would be lost: resume_from="):
        model().fit(x, few, checkpoints=stopped)
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == kept
    for _ in range(2):  # one that was finished is not needed
        model().fit(x, few, checkpoints=tmp_path / "finished")


def test_nothing_to_go_on_from_is_said(digits: Digits, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / LAST):
        with pytest.raises(CheckpointError, match=r"last\.ckpt is missing; there is nothing to go on from"):
            model().fit(digits[0], digits[2], resume_from=path)


def test_only_the_run_that_was_begun_is_gone_on_with(digits: Digits, stopped: Path) -> None:
    x, _, few = digits
    with pytest.raises(CheckpointError, match=r"of a run with gamma_u=15\.0, not 3\.0"):
        model(gamma_u=3.0).fit(x, few, resume_from=stopped)
    with pytest.raises(CheckpointError, match=r"4 batches an epoch; these data make 2"):
        model().fit(x[:150], few[:150], resume_from=stopped)
    with pytest.raises(CheckpointError, match=r"of a run with precision 32-true, not bf16-mixed"):
        model(trainer_options={"precision": "bf16-mixed"}).fit(x, few, resume_from=stopped)
    with pytest.raises(CheckpointError, match="of a run with extra_terms none, not small"):
        model(extra_terms={"small": lambda seen: 0 * seen.codes.sum()}).fit(x, few, resume_from=stopped)
    with pytest.raises(CheckpointError, match="of a run without augment"):
        model(augment=lambda x, noise: x).fit(x, few, resume_from=stopped)


@pytest.mark.parametrize(
    "missing", [("partedvae",), ("partedvae", "batches"), ("state_dict", "step.model.z_head.bias")]
)
def test_a_checkpoint_of_another_version_is_refused(digits: Digits, stopped: Path, missing: tuple[str, ...]) -> None:
    x, _, few = digits
    state = torch.load(stopped / LAST, weights_only=True)
    *within, last = missing
    part = state
    for name in within:
        part = part[name]
    del part[last]
    strange = stopped / "strange.ckpt"
    torch.save(state, strange)
    with pytest.raises(CheckpointError, match=r"strange\.ckpt is not of this version of partedvae; begin anew"):
        model().fit(x, few, resume_from=strange)


def test_a_full_disk_ends_the_run_and_leaves_the_checkpoint_that_was_there(
    digits: Digits, whole: PartedVAE, stopped: Path
) -> None:
    x, _, few = digits
    kept = {name: (stopped / name).read_bytes() for name in (LAST, PREVIOUS)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept[LAST]) // 2, limits[1]))  # files cannot become larger
    try:
        with pytest.raises(OSError, match=r"last\.ckpt cannot be written"):
            model().fit(x, few, checkpoints=stopped, resume_from=stopped)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == kept
    assert_same(model().fit(x, few, resume_from=stopped), whole)


def test_too_little_memory_is_said_with_a_batch_size_to_try(digits: Digits, whole: PartedVAE, stopped: Path) -> None:
    x, _, few = digits

    class Greedy(Callback):
        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            torch.empty(2**50)

    greedily = model(trainer_options={"callbacks": [Greedy()]})
    with pytest.raises(MemoryError, match=r"batch_size=64; try batch_size=32"):
        greedily.fit(x, few, checkpoints=stopped, resume_from=stopped)
    assert_same(model().fit(x, few, resume_from=stopped), whole)


def test_checkpoints_within_an_epoch_follow_a_clock_that_cannot_be_set(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: -1e9)  # someone sets the clock back
    passed = iter(range(0, 10**6, 30))
    monkeypatch.setattr("partedvae.checkpoints.time.monotonic", lambda: float(next(passed)))
    written = []

    class Note(Callback):
        def on_save_checkpoint(self, trainer: lightning.Trainer, *_: Any) -> None:
            written.append(trainer.fit_loop.epoch_loop.batch_idx)

    settings: dict[str, Any] = {"early_stopping": False, "max_epochs": 1}
    noting = model(**settings, trainer_options={"callbacks": [Note()]})
    noting.fit(digits[0], digits[2], checkpoints=tmp_path, checkpoint_minutes=0.9)
    assert written == [1, 3]  # 54 s have passed after the second step; the epoch ends with the fourth


def test_a_run_that_stopped_early_stays_so_when_it_is_gone_on_with(digits: Digits, tmp_path: Path) -> None:
    x, y, _ = digits
    settings: dict[str, Any] = {"max_epochs": 60, "lr": 1e-2, "u_capacity": 2.0}
    first = model(**settings).fit(x, y, checkpoints=tmp_path)
    assert len(first.history_) < 60
    again = model(**settings).fit(x, y, resume_from=tmp_path)
    assert again.history_ == first.history_
    assert_same(first, again)


def test_a_seed_that_nobody_named_is_that_of_the_run(digits: Digits, tmp_path: Path) -> None:
    x, y, _ = digits
    first = model(random_state=None, max_epochs=1).fit(x, y, checkpoints=tmp_path)
    assert_same(first, model(random_state=None, max_epochs=1).fit(x, y, resume_from=tmp_path))
    torch.save({"of": "another"}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="not of this program"):
        model(random_state=None).fit(x, y, resume_from=tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x[::-1].copy(), y),
        lambda x, y: (x, np.roll(y, 5)),
        lambda x, y: (x, y % 5),
        lambda x, y: (x.reshape(len(x), -1), y),
    ],
)
def test_a_run_is_not_gone_on_with_on_other_data(digits: Digits, stopped: Path, change: Any) -> None:
    x, _, few = digits
    with pytest.raises(CheckpointError, match="on other observations or labels"):
        model().fit(*change(x, few), resume_from=stopped)


@pytest.mark.parametrize("others", [None, "other"])
def test_a_run_is_not_gone_on_with_beside_other_validation_data(
    digits: Digits, tmp_path: Path, others: str | None
) -> None:
    x, y, few = digits
    settings: dict[str, Any] = {"validation_fraction": 0.0, "early_stopping": False}
    stopping = model(**settings, trainer_options={"callbacks": [StopAt(6)]})
    with pytest.raises(OSError, match="killed"):
        stopping.fit(x, few, validation_data=(x[:50], y[:50]), checkpoints=tmp_path)
    instead = None if others is None else (x[50:100], y[50:100])
    with pytest.raises(CheckpointError, match="of a run with other validation data"):
        model(**settings).fit(x, few, validation_data=instead, resume_from=tmp_path)
    model(**settings).fit(x, few, validation_data=(x[:50], y[:50]), resume_from=tmp_path)


def test_two_fits_do_not_keep_checkpoints_in_one_folder(digits: Digits, tmp_path: Path) -> None:
    x, _, few = digits

    class Another(Callback):
        def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            with pytest.raises(CheckpointError, match="another fit keeps its checkpoints there"):
                model().fit(x, few, checkpoints=tmp_path, resume_from=tmp_path / LAST)

    model(max_epochs=2, trainer_options={"callbacks": [Another()]}).fit(x, few, checkpoints=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, PREVIOUS}


def test_checkpoints_need_that_lightning_keeps_some(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="enable_checkpointing in trainer_options is False"):
        model(trainer_options={"enable_checkpointing": False}).fit(*digits[::2], checkpoints=tmp_path / "none")
    assert not list(tmp_path.iterdir())


class StopAt(Callback):
    """Ends the process's part of a run, as a kill would, before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if cast("Training", pl_module).steps_taken == self.step:
            raise OSError("killed")


class EndAt(Callback):
    """Lets Lightning end the run after a step, as ``max_time`` does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        trainer.should_stop = cast("Training", pl_module).steps_taken >= self.step


def test_a_run_whose_epoch_was_cut_short_can_be_stopped_and_gone_on_with(digits: Digits, tmp_path: Path) -> None:
    x, _, few = digits
    options = {**ALL_EPOCHS, "max_epochs": 5}
    cut = model(**options, trainer_options={"callbacks": [EndAt(6)]})
    cut.fit(x, few, checkpoints=tmp_path / "a", checkpoint_minutes=0)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    unbroken = model(**options).fit(x, few, resume_from=tmp_path / "a")
    for step in (7, 9):  # within the epoch after the one that was cut
        killed = model(**options, trainer_options={"callbacks": [StopAt(step)]})
        with pytest.raises(OSError, match="killed"):
            killed.fit(x, few, checkpoints=tmp_path / "b", checkpoint_minutes=0, resume_from=tmp_path / "b")
    assert_same(model(**options).fit(x, few, resume_from=tmp_path / "b"), unbroken)


def test_noise_that_a_term_draws_goes_on_where_it_was(digits: Digits, tmp_path: Path) -> None:
    def noisy(seen: Seen) -> torch.Tensor:
        return (seen.codes * torch.randn_like(seen.codes)).sum()

    x, _, few = digits
    unbroken = model(extra_terms={"noisy": noisy}).fit(x, few)
    before = torch.get_rng_state()
    stopped = model(extra_terms={"noisy": noisy}, trainer_options={"callbacks": [StopAt(6)]})
    with pytest.raises(OSError, match="killed"):
        stopped.fit(x, few, checkpoints=tmp_path, checkpoint_minutes=0)
    assert_same(model(extra_terms={"noisy": noisy}).fit(x, few, resume_from=tmp_path), unbroken)
    assert torch.equal(torch.get_rng_state(), before)  # the user's
