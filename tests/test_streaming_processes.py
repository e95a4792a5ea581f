"""Pictures of a stream that other processes decode: the same ones, and no process is left behind."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import QUICK
from partedvae.data import Dataset, load
from streams import N, quick, rows_of, same, the_stream

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.mark.parametrize("n_rows", [1, 3, 7, 64])
def test_processes_decode_what_one_does(streamed: Dataset, n_rows: int, by_processes: None) -> None:
    x, whole = the_stream(streamed), streamed.array
    found = list(x.parts(n_rows))
    assert [len(part) for part in found] == [min(n_rows, N - start) for start in range(0, N, n_rows)]
    np.testing.assert_array_equal(np.concatenate(found), whole)
    np.testing.assert_array_equal(np.concatenate(list(x.parts(n_rows, np.arange(1, N, 3)))), whole[1::3])
    assert sorted(rows_of(x.epoch(0, 0, n_rows))) == list(range(N))


def test_a_model_is_the_same_whoever_decodes(streamed: Dataset, request: pytest.FixtureRequest) -> None:
    alone = quick().fit(streamed)
    request.getfixturevalue("by_processes")
    assert same(alone, quick().fit(streamed))


def test_an_epoch_that_ends_early_ends_its_processes(streamed: Dataset, by_processes: None) -> None:
    before = set(multiprocessing.active_children())
    epoch = the_stream(streamed).epoch(0, 0, 4)
    next(epoch)
    assert len(set(multiprocessing.active_children()) - before) == 2
    del epoch
    assert set(multiprocessing.active_children()) == before


def test_what_a_killed_process_leaves_is_decoded_all_the_same(streamed: Dataset, by_processes: None) -> None:
    before = set(multiprocessing.active_children())
    expected = rows_of(the_stream(streamed).epoch(0, 0, 4))
    epoch = the_stream(streamed).epoch(0, 0, 4)
    found = rows_of(iter([next(epoch)]))
    for process in set(multiprocessing.active_children()) - before:
        process.kill()
    with pytest.warns(UserWarning, match="A process that reads ahead was killed"):
        assert [*found, *rows_of(epoch)] == expected
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_whose_processes_are_all_told_to_stop_leaves_a_checkpoint(
    source: str, number: int, status: int, tmp_path: Path
) -> None:
    options = [*QUICK, "--set", "batch_size=8", "--checkpoint-minutes", "0"]
    program = f"""
import os, signal
import datasets
from partedvae import cli
from partedvae.data import ahead, decoding, stream

signal.signal(signal.SIGINT, signal.default_int_handler)
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0
decoding.WORTH_PROCESSES, stream._GROUP = 1, 3
ahead.idle_cores = lambda: 2
first, asked = ahead._first, []

def first_and_ask(*given):
    if os.path.exists("run/checkpoints/last.ckpt") and not asked:
        asked.append(True)
        os.killpg(0, {number:d})
    return first(*given)

ahead._first = first_and_ask
cli.main(["train", {source!r}, "--streaming", "--out", "run", *{options}])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=120,
    )
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-2:] == [
        f"partedvae train {source} --out run --resume goes on from the last checkpoint.",
        "partedvae: stopped.",
    ]
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_a_process_that_may_have_none_of_its_own_decodes_alone(source: str, by_processes: None) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:  # its processes may not
        assert pool.apply(first_rows, (source,)) == [0, 1, 2]


def first_rows(source: str) -> list[int]:
    return rows_of(the_stream(load(source, streaming=True)).parts(N))[:3]
