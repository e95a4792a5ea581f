"""Commands that are stopped, or cannot write, say so in a line and leave what can be gone on with, or nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import QUICK, call
from partedvae import PartedVAE, runs
from partedvae.checkpoint_files import LAST, PREVIOUS

pytestmark = pytest.mark.usefixtures("short_report")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_line_ends_cleanly_and_goes_on(number: int, status: int, tmp_path: Path) -> None:
    options = ["--labels-per-class", "5", "--epochs", "2", "--checkpoint-minutes", "0"]
    program = f"""
import os, signal
from pathlib import Path
from partedvae import checkpoints, cli

signal.signal(signal.SIGINT, signal.default_int_handler)
write = checkpoints.Checkpoints._write
asked = []  # once: a second signal ends the run at once

def write_and_ask(self, trainer):
    write(self, trainer)
    if not asked and Path("run/checkpoints/{PREVIOUS}").exists():
        asked.append(True)
        os.kill(os.getpid(), {number:d})

checkpoints.Checkpoints._write = write_and_ask
cli.main({["train", "digits", "--out", "run", *options]})
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = ended.stderr
    assert ended.returncode == status, said
    assert said.splitlines()[-2:] == [
        "partedvae train digits --out run --resume goes on from the last checkpoint.",
        "partedvae: stopped.",
    ]
    assert "Traceback" not in said
    if number == signal.SIGINT:
        return  # going on is the same after both, and takes its time
    newest = tmp_path / "run" / "checkpoints" / LAST
    newest.write_bytes(newest.read_bytes()[:-100])
    again = [sys.executable, "-m", "partedvae", "train", "digits", "--out", "run", "--resume"]
    resumed = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert "Warning: run/checkpoints/last.ckpt is damaged: going on from" in resumed.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 2


def test_a_command_that_is_asked_to_stop_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    PartedVAE(hidden_dim=8, max_epochs=1, random_state=0).fit(np.eye(8), np.arange(8) % 2).save(tmp_path / "model")
    np.savez(tmp_path / "data.npz", X=np.eye(8))
    program = """
import os, signal
from partedvae import cli, tables

tables.prediction_rows = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
cli.main(["predict", "model", "data.npz", "-o", "answers.csv", "--quiet"])
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (143, "partedvae: stopped.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz", "model"]


def test_a_run_without_a_whole_checkpoint_fails_with_status_1(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / LAST).write_bytes(b"cut")
    found = call("train", "digits", "--out", tmp_path / "run", "--resume")
    assert found.returncode == 1
    assert found.stderr == f"partedvae: {folder / LAST}: damaged. There is nothing to go on from.\n"


def test_a_run_that_was_left_before_its_first_checkpoint_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    program = f"""
from partedvae import cli, fitting
fitting.fit = lambda *_, **__: __import__("os")._exit(9)
cli.main(["train", "digits", "--labels-per-class", "2", "--out", {str(folder)!r}, *{[str(word) for word in QUICK]!r}])
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert killed.returncode == 9
    for option in ([], ["--resume"]):
        refused = call("train", "digits", "--out", folder, *option)
        assert refused.returncode == 2
        assert refused.stderr.endswith("left before its first checkpoint: --overwrite begins it again.\n")
    again = call("train", "digits", "--labels-per-class", 2, "--out", folder, *QUICK, "--overwrite", "--quiet")
    assert (again.returncode, (folder / "config.json").exists()) == (0, True)
    shutil.rmtree(folder / "checkpoints")
    finished = call("train", "digits", "--out", folder, "--resume")
    assert (finished.returncode, "--overwrite" in finished.stderr) == (2, False)  # which would replace a model


@pytest.mark.parametrize("option", [[], ["--resume"], ["--overwrite"]])
def test_two_processes_do_not_train_into_one_folder(option: list[str], run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    with runs.alone_in_run(folder):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        refused = call("train", "digits", "--out", folder, *option)
        assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = f"partedvae: --out {folder}: another process trains into it. Wait until it ends, or name another folder.\n"
    assert (refused.returncode, refused.stderr) == (2, said)
    assert not (folder / ".lock").exists()


def test_the_lock_of_a_run_that_was_killed_is_not_in_the_way(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / ".lock").touch()
    assert call("train", "digits", "--out", folder, "--resume", "--quiet").returncode == 0
    assert not list(folder.glob(".*"))


def _unwritable(tmp_path: Path) -> Path:
    """A folder in which nobody can make anything, not even root, whom permissions do not stop."""
    if os.geteuid() == 0:
        return Path("/proc/self")
    tmp_path.chmod(0o500)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="where nobody may write differs from system to system")
def test_a_folder_that_cannot_be_written_to_is_named_in_one_line(tmp_path: Path) -> None:
    folder = _unwritable(tmp_path)
    trained = call("train", "digits", "--labels-per-class", 2, "--out", folder / "run", *QUICK)
    assert trained.returncode == 1
    assert trained.stderr.count("\n") == 1
    assert str(folder / "run") in trained.stderr
    model = PartedVAE(hidden_dim=8, max_epochs=1, random_state=0).fit(np.eye(8), np.arange(8) % 2)
    with pytest.raises(OSError, match=str(folder / "model")):
        model.save(folder / "model")
