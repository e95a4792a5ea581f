"""Two processes that train together do what one does with the whole batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from partedvae import PartedVAE, processes
from partedvae.batches import Observations, training_loader
from partedvae.config import Config
from partedvae.factory import Schedule, make_objective
from partedvae.independence import ClassIndependence
from partedvae.model import Posterior
from partedvae.objective import cross_entropy, targets_of
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.recorder import Recorder

Array = NDArray[Any]

LAYOUT = Partition((3, 2), u_dim=2, z_dim=2)
N = 24
DDP = "ddp_find_unused_parameters_true"


def batch() -> list[Tensor]:
    """What an encoder might say of N observations, and a likelihood of each."""
    noise = torch.Generator().manual_seed(0)
    sizes = (LAYOUT.n_classes, LAYOUT.u_size, LAYOUT.u_size, LAYOUT.z_dim, LAYOUT.z_dim)
    parts = [torch.randn(N, size, dtype=torch.float64, generator=noise) for size in sizes]
    return [*parts, torch.randn(N, dtype=torch.float64, generator=noise)]


def loss_and_gradients(rows: slice) -> tuple[Tensor, list[Tensor]]:
    """Of the whole objective and the dependence, after a batch before it, for some of the rows."""
    leaves = [part[rows].clone().requires_grad_() for part in batch()]
    posterior = Posterior(LAYOUT.log_softmax(leaves[0]), *leaves[1:5])
    torch.manual_seed(0)
    prior = MixturePrior(LAYOUT, torch.ones(LAYOUT.n_classes)).double()
    config = Config(capacity_steps=100)
    objective = make_objective(config, (4,), Schedule.of(config, 200))
    independence = ClassIndependence(LAYOUT, 2 * N).double()
    independence(posterior.z_mean.detach() + 1, posterior.log_c.exp().detach())
    terms = objective(posterior, prior, leaves[5], step=50)
    told = independence(posterior.z_mean, posterior.log_c.exp())
    labels = torch.stack([torch.arange(N) % 3, torch.where(torch.arange(N) < 2 * N // 3, -1, 1)], dim=1)
    # Of the second attribute one half of the rows has few labels, the other more.
    known = cross_entropy(posterior.log_c, targets_of(labels[rows], LAYOUT), LAYOUT)
    loss = terms.total + 40 * told + 10 * known
    loss.backward()
    return loss.detach(), [leaf.grad for leaf in leaves if leaf.grad is not None]


def a_part(rank: int, folder: str) -> None:
    """In each of two processes."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    half = slice(rank * N // 2, (rank + 1) * N // 2)
    loss, gradients = loss_and_gradients(half)
    assert processes.world() == (rank, 2)
    torch.save([processes.total(loss) / 2, *(gradient / 2 for gradient in gradients)], f"{folder}/{rank}")
    distributed.destroy_process_group()


def test_losses_and_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    spawn(a_part, (str(tmp_path),), nprocs=2)
    whole, gradients = loss_and_gradients(slice(None))
    (first, *ones), (second, *others) = (torch.load(tmp_path / rank) for rank in "01")
    assert first == second
    torch.testing.assert_close(first, whole, rtol=1e-6, atol=1e-6)
    for one, other, gradient in zip(ones, others, gradients, strict=True):
        # DDP takes the mean over processes: each observation is in one of them.
        torch.testing.assert_close(torch.cat([one, other]), gradient, rtol=1e-5, atol=1e-7)


def what_is_kept(rank: int, folder: str) -> None:
    """In each of two processes: an epoch taken up from a checkpoint, and independence as validation has it."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    recorder, resumed = Recorder(), Recorder()
    recorder.add({"loss": torch.tensor(1.0 + 2 * rank)}, 10 + 20 * rank, 1)
    resumed.take_up(processes.of_each(recorder.state())[rank], torch.device("cpu"))
    measure = ClassIndependence(Partition((2,), u_dim=1, z_dim=3), n_remembered=8).eval()
    z = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    told = measure(z, torch.eye(2).repeat(32, 1))
    torch.save([resumed.means(torch.device("cpu"))["loss"], float(told)], f"{folder}/{rank}")
    distributed.destroy_process_group()


def test_each_process_goes_on_with_its_own_and_validates_as_one_does(tmp_path: Path) -> None:
    spawn(what_is_kept, (str(tmp_path),), nprocs=2)
    (first, told), (second, also_told) = (torch.load(tmp_path / rank) for rank in "01")
    assert first == second == pytest.approx((10 * 1 + 30 * 3) / 40)
    assert told == also_told
    assert abs(told) < 0.2  # beside a copy of each observation, it would be above 1


@pytest.mark.parametrize(
    ("options", "strategy"),
    [
        ({}, None), ({"strategy": "auto"}, "auto"), ({"devices": "auto", "accelerator": "cpu"}, None),
        ({"devices": [3]}, None), ({"devices": "3,"}, None), ({"devices": "1"}, None),
        ({"devices": 1, "strategy": "ddp"}, DDP), ({"devices": 2}, DDP), ({"devices": "2", "strategy": "auto"}, DDP),
        ({"devices": "0, 1"}, DDP), ({"devices": [0, 1]}, DDP), ({"num_nodes": 2}, DDP),
        ({"devices": 2, "strategy": "fsdp"}, "fsdp"),
    ],
)  # fmt: skip
def test_several_devices_are_trained_on_with_ddp_and_one_without(
    options: dict[str, Any], strategy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert processes.placed(options).get("strategy") == strategy


def test_parts_of_an_epoch_are_of_one_size_and_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(43.0)[:, None]
    labels = torch.where(x < 9, 0, -1).long()
    seen = []
    for rank in range(3):
        monkeypatch.setattr("partedvae.batches.world", lambda rank=rank: (rank, 3))
        loader = training_loader(Observations(x, labels), batch_size=4, seed=5, n_processes=3)
        batches = list(loader)
        assert len(batches) == len(loader) == 4
        seen.append(batches)
    for together in zip(*seen, strict=True):
        assert len({len(part.x) for part in together}) == 1
        assert len({len(part.labels) for part in together}) == 1
    rows = torch.cat([part.x for batches in seen for part in batches])[:, 0]
    assert len(rows) == len(set(rows.tolist())) == 42  # one of 43 is left out; another one in another epoch


TRAIN = """
import json, os, sys, torch
import numpy as np
from sklearn.datasets import load_digits
from partedvae import PartedVAE
torch.set_num_threads(1)
bunch = load_digits()
y = np.where(np.arange(600) < 200, bunch.target[:600], -1)
settings = json.loads(sys.argv[2])
model = PartedVAE(batch_size=32, **settings, trainer_options={"accelerator": "cpu"})
model.fit(bunch.images[:600] / 16, y)
weights = sum(float(p.double().sum()) for p in model.net_.state_dict().values())
with open(f"{sys.argv[1]}/{os.environ['RANK']}.json", "w") as file:
    json.dump({"history": model.history_, "weights": weights}, file)
"""


def two_processes(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The history and the weights that both of two processes have, which are the same."""
    (folder / "train.py").write_text(TRAIN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, folder / "train.py", folder, json.dumps(settings)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second
    found: dict[str, Any] = first
    return found


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_epochs": 6, "random_state": 0, "consistency": 0.0, "lr_labelled": 1e-3}
    first = two_processes(tmp_path, settings)
    bunch = load_digits()
    y = np.where(np.arange(600) < 200, bunch.target[:600], -1)
    single = PartedVAE(batch_size=64, **settings).fit(bunch.images[:600] / 16, y)
    for one, both in zip(single.history_, first["history"], strict=True):
        assert one["step"] == both["step"]
        assert one["z_capacity"] == both["z_capacity"]
        # The same rows in the same batches from the same weights; the noise of the second process is another. The
        # KL(z) of the last epoch, where it overtakes its capacity, scatters by a fifth from noise to noise. What is
        # blended with what would be noise too, with a fast class head more than all else.
        assert both["reconstruction"] == pytest.approx(one["reconstruction"], rel=0.02)
        assert both["cross_entropy"] == pytest.approx(one["cross_entropy"], rel=0.1)
    for one, both in zip(single.history_[:-1], first["history"][:-1], strict=True):
        assert both["z_kl"] == pytest.approx(one["z_kl"], rel=0.15)


def test_two_processes_agree_on_all_that_the_default_does(tmp_path: Path) -> None:
    """What each of them blends is noise of its own, so that only means can be compared with one process."""
    settings: dict[str, Any] = {"max_epochs": 8, "random_state": 0, "validation_fraction": 0.1}
    both = two_processes(tmp_path, settings)["history"]
    bunch = load_digits()
    y = np.where(np.arange(600) < 200, bunch.target[:600], -1)
    single = PartedVAE(batch_size=64, **settings).fit(bunch.images[:600] / 16, y).history_
    for term in ("reconstruction", "cross_entropy", "consistency", "val_reconstruction"):
        one, two = (np.mean([record[term] for record in history]) for history in (single, both))
        assert two == pytest.approx(one, rel=0.1), term


def test_a_lost_process_ends_the_run_which_can_be_gone_on_with(tmp_path: Path) -> None:
    bunch = load_digits()
    np.savez(tmp_path / "data.npz", X=bunch.images[:200], y=np.where(np.arange(200) < 100, bunch.target[:200], -1))
    train = [sys.executable, "-m", "partedvae", "train", "data.npz", "--out", "run"]
    where = ["--devices", "2", "--accelerator", "cpu"]
    both = subprocess.Popen(
        [*train, *where, "--epochs", "400"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / "checkpoints" / "previous.ckpt").exists():
        assert both.poll() is None, both.communicate()
        time.sleep(0.05)
    (child,) = (int(word) for word in Path(f"/proc/{both.pid}/task/{both.pid}/children").read_text().split()[:1])
    os.kill(child, signal.SIGKILL)
    _, said = both.communicate(timeout=60)
    assert both.returncode != 0
    assert "Another process of the run has ended" in said
    assert "--resume" in said
    assert "find_unused_parameters" not in said
    assert "Traceback" not in said
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["partedvae"]["steps_taken"] > 0


def test_a_fit_of_one_device_takes_no_other_processes_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
    settings: dict[str, Any] = {"u_dim": 2, "z_dim": 2, "hidden_dim": 8, "max_epochs": 2, "random_state": 0}
    alone = PartedVAE(**settings).fit(x, y)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)  # as of a script under torchrun
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    assert processes.world() == (1, 2)
    beside = PartedVAE(**settings).fit(x, y)
    assert beside.history_ == alone.history_
    assert processes.world() == (1, 2)
