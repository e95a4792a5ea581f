"""Pictures a second that the sprites' renderer gives on one core.

    python benchmarks/sprites.py [--rounds 5]

Each round asks for batches of 1,024 random rows until a second has passed. The first batch of a process also draws
the 720 glyphs; that is timed by itself, in processes of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import record
from partedvae.data.sprites import GRIDS, Sprites

BATCH, SIDE, SECONDS = 1024, 64, 1.0
FIRST = f"""
import time
import numpy as np
from partedvae.data.sprites import Sprites
started = time.perf_counter()
Sprites("sprites", {SIDE})[np.array([0])]
print(time.perf_counter() - started)
"""


def main() -> None:
    """Time, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, for the processes started here as well
    torch.set_num_threads(1)  # only NumPy works here, but this is what the record tells of threads
    rates = {style: spread([rate(style, seed) for seed in range(rounds)]) for style in GRIDS}
    first = spread([first_picture() for _ in range(rounds)])
    path = record.write(
        "sprites",
        {
            "batch": BATCH,
            "side": SIDE,
            "rounds": rounds,
            "load_average": os.getloadavg()[0],  # what else the machine was doing
            "pictures_per_second": rates,
            "seconds_to_first_picture": first,
        },
    )
    table = Table("", "min", "median", "max", title=f"sprites, {SIDE} x {SIDE}, batches of {BATCH:,}, one core")
    for style, figures in rates.items():
        table.add_row(f"{style}, pictures a second", *(f"{figure:,.0f}" for figure in figures.values()))
    table.add_row("seconds to the first picture", *(f"{figure:.3f}" for figure in first.values()))
    Console().print(table)
    print(f"written to {path}")


def rate(style: str, seed: int) -> float:
    """Pictures a second, of random rows that were chosen before."""
    sprites, rng = Sprites(style, SIDE), np.random.default_rng(seed)
    batches = rng.integers(len(sprites), size=(16, BATCH))
    drawn, started = 0, time.perf_counter()
    while (seconds := time.perf_counter() - started) < SECONDS:
        for rows in batches:
            drawn += len(sprites[rows])
    return drawn / seconds


def first_picture() -> float:
    """Seconds to the first picture of a new process, imports left out."""
    return float(subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True).stdout)


def spread(figures: list[float]) -> dict[str, float]:
    """Least, middle and greatest."""
    return {"min": min(figures), "median": median(figures), "max": max(figures)}


if __name__ == "__main__":
    main()
