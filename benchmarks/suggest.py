"""Accuracy by number of labels: those that ``suggest`` asks for, in rounds of ten, beside random ones.

    python benchmarks/suggest.py [--data digits fashion-mnist] [--seeds 5] [--jobs 2]

Both begin with the same ten random rows. Each round fits a new model, which then says which ten of the rows to label
next. Random labels are those of one random order, so that more labels contain the fewer. Accuracy is of test rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import record
from comparisons import Difference, interval
from partedvae import PartedVAE
from partedvae.data import Dataset, hold_out, load
from partedvae.labels import MISSING

Integers = NDArray[np.int64]

ROUND, SUGGESTED, RANDOM = 10, 60, (60, 100)
_FASHION_ROWS, _FASHION_TEST = 10_000, 10_000


def main() -> None:
    """Fit, print, and keep the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=list(_DATA), default=list(_DATA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.data:
        with ProcessPoolExecutor(
            arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            curves = list(pool.map(both_curves, [name] * arguments.seeds, range(arguments.seeds)))
        _keep(name, curves)


def both_curves(name: str, seed: int) -> dict[str, float]:
    """Accuracies of one seed, by how the labels were chosen and how many there are."""
    train, test, settings = _DATA[name](seed)
    order = np.random.default_rng(seed).permutation(len(train))
    found = {}
    chosen = order[:ROUND]
    while True:
        y = _labels(train, chosen)
        model = _fit(train, y, settings, seed)
        found[f"suggested {len(chosen)}"] = _right(model, test)
        if len(chosen) >= SUGGESTED:
            break
        chosen = np.concatenate([chosen, model.suggest(train.array, ROUND, random_state=seed, y=y)])
    for n in RANDOM:
        found[f"random {n}"] = _right(_fit(train, _labels(train, order[:n]), settings, seed), test)
    return found


def _labels(train: Dataset, rows: Integers) -> Integers:
    """All missing but those of some rows."""
    y = np.full(len(train), MISSING)
    y[rows] = train.codes[rows, 0]
    return y


def _fit(train: Dataset, y: Integers, settings: Mapping[str, Any], seed: int) -> PartedVAE:
    return PartedVAE(**{**settings, "random_state": seed}).fit(train.array, y)


def _right(model: PartedVAE, test: Dataset) -> float:
    """Accuracy; a class that no label has named yet is always wrong."""
    return float(np.mean(model.predict(test.array) == test.codes[:, 0]))


def _digits(seed: int) -> tuple[Dataset, Dataset, dict[str, Any]]:
    data = load("digits")
    train, test = hold_out(data, 0.2, seed)
    return data.take(train), data.take(test), {}


def _fashion(seed: int) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """A random part of the training pictures at 16×16, for ten epochs: what two cores can do six times a seed."""
    data = load("fashion-mnist", size=(16, 16))
    train = np.sort(np.random.default_rng(seed).permutation(60_000)[:_FASHION_ROWS])
    return data.take(train), data.take(range(60_000, 60_000 + _FASHION_TEST)), {"max_epochs": 10}


_DATA = {"digits": _digits, "fashion-mnist": _fashion}


def differences(curves: Sequence[dict[str, float]]) -> str:
    """The most suggested labels less as many random ones, and less the most of those."""
    runs = {key: {seed: {"accuracy": c[key]} for seed, c in enumerate(curves)} for key in curves[0]}
    most = f"suggested {SUGGESTED}"
    gaps = {n: Difference.of(runs[most], runs[f"random {n}"], "accuracy") for n in RANDOM}
    return "; ".join(f"{most} less random {n}: {interval(gap, 3)}" for n, gap in gaps.items() if gap is not None)


def _keep(name: str, curves: list[dict[str, float]]) -> None:
    summary = {key: {"mean": mean(c[key] for c in curves), "sd": stdev(c[key] for c in curves)} for key in curves[0]}
    path = record.write(f"suggest_{name}", {"summary": summary, "by_seed": curves})
    table = Table("labels", "accuracy", "sd", title=f"{name}, {len(curves)} seeds")
    for key, figure in summary.items():
        table.add_row(key, f"{figure['mean']:.4f}", f"{figure['sd']:.2g}")
    Console().print(table)
    print(f"{differences(curves)}; written to {path}")


if __name__ == "__main__":
    main()
