"""``partedvae`` called as from a shell, and settings with which it is soon done."""

from __future__ import annotations

import contextlib
import csv
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from partedvae.cli import main

QUICK = ("--epochs", "2", "--set", "hidden_dim=16", "--set", "u_dim=2", "--set", "z_dim=2")


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


def call(*arguments: object) -> Result:
    """What ``partedvae`` prints and its exit status; in this process, since a new one spends seconds on imports."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return Result(left.value.code if isinstance(left.value.code, int) else 0, out.getvalue(), err.getvalue())


def call_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "partedvae", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def suggested(run: Path, data: str | Path, *options: object) -> tuple[list[dict[str, str]], str]:
    """Rows that ``suggest`` writes, and what it says beside."""
    done = call("suggest", run, data, *options, "-o", run.parent / "suggested.csv")
    assert done.returncode == 0, done.stderr
    with (run.parent / "suggested.csv").open() as file:
        return list(csv.DictReader(file)), done.stderr
