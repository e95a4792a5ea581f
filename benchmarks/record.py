"""What a benchmark leaves behind: JSON with the figures and everything that is needed to get them again."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from partedvae.persistence import write_whole

RESULTS = Path(__file__).parent / "results"
CELLS = RESULTS / "cells"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


# Of the code that is imported, not of what lies there hours later when the figures are written.
COMMIT = _git("rev-parse", "HEAD")
CHANGED = bool(_git("status", "--porcelain", "--", "../src", ".", ":!results"))


def given() -> str:
    """The command that was given."""
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def code() -> str | None:
    """The commit whose code this is; None outside of a repository."""
    return f"{COMMIT} with changes" if CHANGED else COMMIT or None


def write(
    name: str,
    figures: dict[str, Any],
    *,
    command: str | None = None,
    folder: Path = RESULTS,
    threads: int | None = None,
) -> Path:
    """Write ``<name>.json`` into the folder, whole or not at all.

    Args:
        command: that made the figures; default: the one that was given.
        threads: of torch; default: as many as this process has, which need not be those of the processes that fit.
    """
    record = {
        "command": command or given(),
        "commit": code(),
        "machine": {
            "processor": processor(),
            "threads": threads or torch.get_num_threads(),
            "torch": torch.__version__,
        },
        **figures,
    }
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def kept(place: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A run as code of the same commit has left it, or made and left now; of changed code always made.

    Args:
        place: of its JSON, below a folder of this commit.
        make: the run.
    """
    path = Path("runs") / "benchmark" / f"of_{COMMIT}" / f"{place}.json"
    if path.exists() and not CHANGED:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return known
    run = make()
    if not CHANGED:  # else nothing says what made it
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda temporary: temporary.write_text(json.dumps(run), encoding="utf-8"))
    return run


def processor() -> str:
    """Kind and model, as far as Linux tells."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join([platform.machine(), *names[:1]])
