"""Seconds that each measure of disentanglement takes on 10,000 rows, 10 codes and 6 factors.

    python benchmarks/metrics.py [--repeats 5] [--without-boosted]

The codes are the factors with some noise, and four that are noise alone, turned against each other a little, so that no
classifier has an easy time. The least and the middle of the repeats are kept: other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import record
from partedvae import metrics

N_ROWS, N_CODES, SIZES = 10_000, 10, (3, 6, 10, 8, 8, 2)
Array = NDArray[Any]


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-boosted", action="store_true", help="leave out the slow trees of DCI")
    arguments = parser.parse_args()
    codes, factors = some_codes()
    figures = {name: timed(partial(measure, codes, factors), arguments.repeats) for name, measure in quick().items()}
    if not arguments.without_boosted:
        figures["dci, boosted trees"] = timed(partial(metrics.dci, codes, factors), repeats=1)
    rows = {"rows": N_ROWS, "codes": N_CODES, "factors": SIZES}
    path = record.write("metrics", {"data": rows, "load_average": os.getloadavg()[0], "measures": figures})
    table = Table("measure", "score", "least seconds", "median", title=f"{N_ROWS:,} rows, {N_CODES} codes, 6 factors")
    for name, figure in figures.items():
        table.add_row(name, *(f"{figure[key]:.4f}" for key in ("score", "seconds", "median_seconds")))
    Console().print(table)
    print(f"written to {path}")


def some_codes() -> tuple[Array, Array]:
    """Codes and the factors behind them."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=N_ROWS) for size in SIZES], axis=1)
    scaled = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    codes = np.concatenate([scaled, rng.normal(size=(N_ROWS, N_CODES - len(SIZES)))], axis=1)
    turn = np.eye(N_CODES) + 0.1 * rng.normal(size=(N_CODES, N_CODES))
    return (codes + 0.3 * rng.normal(size=codes.shape)) @ turn, factors


def quick() -> dict[str, Callable[[Array, Array], float]]:
    """The measures that take seconds at most."""
    return {
        "mig": metrics.mig,
        "modularity": metrics.modularity,
        "irs": metrics.irs,
        "factor_vae": metrics.factor_vae,
        "beta_vae": metrics.beta_vae,
        "sap": metrics.sap,
        "sap, continuous": partial(metrics.sap, continuous=True),
        "explicitness": metrics.explicitness,
        "dci, fast trees": partial(metrics.dci, trees="fast"),
    }


def timed(measure: Callable[[], float], repeats: int) -> dict[str, float]:
    """Score and seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        score = float(measure())
        seconds.append(time.perf_counter() - started)
    return {"score": score, "seconds": round(min(seconds), 5), "median_seconds": round(median(seconds), 5)}


if __name__ == "__main__":
    main()
