"""What a benchmark leaves behind: JSON with the figures and everything that is needed to get them again."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from partedvae.persistence import write_whole

RESULTS = Path(__file__).parent / "results"
CELLS = RESULTS / "cells"


def write(name: str, figures: dict[str, Any], *, command: str | None = None, folder: Path = RESULTS) -> Path:
    """Write ``<name>.json`` into the folder, whole or not at all; ``command`` is the one given, unless it is named."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "../src", ".", ":!results")
    record = {
        "command": command or " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "commit": f"{commit} with changes" if changed else commit or None,
        "machine": {"processor": _processor(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        **figures,
    }
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def _processor() -> str:
    """Kind and model, as far as Linux tells."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join([platform.machine(), *names[:1]])


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()
