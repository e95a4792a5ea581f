"""What reading data costs: batches from memory, a folder of pictures, and rows that do not fit into memory.

    python benchmarks/data.py [batches|folder|disk …]

- batches: seconds to cut a training batch from uint8 in memory, beside a whole training step of the 32×32 model.
- folder: a folder of 20,000 PNG files of 32×32, read for the first time and again.
- disk: training on 5,000,000 rows of 32×32, from an .npy that is mapped and from Parquet; the most memory that the
  process held. It needs 16 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pyarrow
import torch
from PIL import Image
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

import record
from partedvae import PartedVAE
from partedvae.batches import Observations, training_loader
from partedvae.data import load
from partedvae.data.cache import write_rows
from partedvae.data.sprites import Sprites

SIDE, BATCH, THREADS = 32, 64, 2
N_FILES, N_ROWS, STEPS = 20_000, 5_000_000, 3_000
ROUNDS = 5
_AT_ONCE = 50_000


def main() -> None:
    """Run the parts that are asked for, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--train-on", metavar="FILE", help=argparse.SUPPRESS)  # the process whose memory is measured
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    if arguments.train_on:
        print(json.dumps(train_on(Path(arguments.train_on))))
        return
    for name in arguments.parts or PARTS:
        figures = PARTS[name]()
        path = record.write(f"data_{name}", {"load_average": os.getloadavg()[0], **figures})
        table = Table("figure", "value", title=f"data: {name}")
        for key, value in figures.items():
            table.add_row(key, f"{value:,.4g}" if isinstance(value, float) else str(value))
        Console().print(table)
        print(f"written to {path}")


def batches() -> dict[str, Any]:
    """Medians of rounds that alternate, so that whatever else the machine does is in both."""
    x = torch.from_numpy(pictures(np.arange(60_000)))[:, None]
    labels = torch.full((len(x), 1), -1)
    labels[:256, 0] = torch.arange(256) % 10
    shares, steps, cuts = [], [], []
    timer = _StepTimer()
    for seed in range(ROUNDS):
        loader = iter(training_loader(Observations(x, labels), BATCH, seed))
        next(loader)  # the order of the epoch is drawn with the first
        started = time.perf_counter()
        for _ in range(200):
            next(loader)
        cuts.append((time.perf_counter() - started) / 200)
        PartedVAE.from_preset(
            "paper-mnist",
            max_epochs=1,
            random_state=seed,
            trainer_options={"limit_train_batches": 60, "callbacks": [timer], "accelerator": "cpu"},
        ).fit(x.numpy(), labels[:, 0].numpy())
        steps.append(timer.seconds_a_step)
        shares.append(cuts[-1] / steps[-1])
    return {
        "seconds_a_batch": median(cuts),
        "seconds_a_step": median(steps),
        "share_of_a_step": median(shares),
        "share_of_a_step_max": max(shares),
    }


def folder() -> dict[str, Any]:
    """The first start decodes and caches, the second maps; each in a process of its own, imports not counted."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "pictures"
        for row, picture in enumerate(pictures(np.arange(N_FILES) * 37)):
            path = source / f"class{row % 10}" / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
        code = (
            "import sys, time; from partedvae.data import load; started = time.perf_counter(); "
            "data = load(sys.argv[1]); data.array[::1000].sum(); print(time.perf_counter() - started)"
        )
        environment = {**os.environ, "PARTEDVAE_CACHE": f"{place}/cache"}
        seconds = [
            float(subprocess.check_output([sys.executable, "-c", code, str(source)], env=environment, text=True))
            for _ in range(3)
        ]
    return {"files": N_FILES, "seconds_first": seconds[0], "seconds_second": seconds[1], "seconds_third": seconds[2]}


def disk() -> dict[str, Any]:
    """The most memory that a process holds which trains on so many rows."""
    figures: dict[str, Any] = {"rows": N_ROWS, "gigabytes_of_rows": N_ROWS * SIDE * SIDE / 1e9, "steps": STEPS}
    with tempfile.TemporaryDirectory() as place:
        for name, write in (("npy", write_npy), ("parquet", write_parquet)):
            path = Path(place) / f"rows.{name}"
            write(path)
            environment = {**os.environ, "PARTEDVAE_CACHE": f"{place}/cache"}
            command = [sys.executable, __file__, "--train-on", str(path)]
            result = json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])
            figures |= {f"{name}_{key}": value for key, value in result.items()}
            path.unlink()
    return figures


def train_on(path: Path) -> dict[str, Any]:
    """Train some thousand steps on a file in this process."""
    started = time.perf_counter()
    labels = path.with_suffix(".labels.npy")
    data = load(str(path), label_file=str(labels) if labels.exists() else None)
    read = time.perf_counter() - started
    PartedVAE(max_epochs=1, random_state=0, trainer_options={"limit_train_batches": STEPS, "accelerator": "cpu"}).fit(
        data
    )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds_to_read": read, "seconds": time.perf_counter() - started, "gibibytes_held_at_most": most}


def write_npy(path: Path) -> None:
    """Rows as NumPy writes them, and their labels beside them: one row in 50,000 has one."""
    write_rows(path, (N_ROWS, SIDE, SIDE), np.uint8, (rows for _, rows in in_parts()))
    np.save(path.with_suffix(".labels.npy"), np.concatenate([labels for labels, _ in in_parts(draw=False)]))


def write_parquet(path: Path) -> None:
    """The same rows as lists of lists of uint8, and a column of labels."""
    kind = pyarrow.list_(pyarrow.list_(pyarrow.uint8(), SIDE), SIDE)
    with parquet.ParquetWriter(path, pyarrow.schema([("picture", kind), ("label", pyarrow.int64())])) as writer:
        for labels, rows in in_parts():
            lines = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.reshape(-1)), SIDE)
            columns = [pyarrow.FixedSizeListArray.from_arrays(lines, SIDE), pyarrow.array(labels)]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=writer.schema))


def in_parts(draw: bool = True) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labels and pictures, some at a time."""
    for start in range(0, N_ROWS, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, N_ROWS))
        labels = np.where(rows % _AT_ONCE == 0, (rows // _AT_ONCE) % 3, -1)
        yield labels, pictures(rows) if draw else rows


def pictures(rows: np.ndarray) -> np.ndarray:
    """Sprites, over and over."""
    sprites = Sprites("sprites", SIDE)
    return sprites[rows * 7919 % len(sprites)]


class _StepTimer(lightning.Callback):
    """Seconds a training step, the first ones left out."""

    def __init__(self) -> None:
        self._started, self._steps = 0.0, 0
        self.seconds_a_step = 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """Start the clock."""
        if batch_idx == 10:
            self._started = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Read it."""
        if batch_idx > 10:
            self.seconds_a_step = (time.perf_counter() - self._started) / (batch_idx - 9)


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"batches": batches, "folder": folder, "disk": disk}

if __name__ == "__main__":
    main()
