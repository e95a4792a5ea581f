"""A table, and pictures with two attributes, few labels each: the default, the published recipe, and scikit-learn.

    python benchmarks/other_data.py [--data table attributes] [--seeds 5] [--jobs 2]

Accuracy (with two attributes: the mean) on rows that nothing was fit on. scikit-learn's estimators see the same rows
and labels, standardised; each attribute has an estimator of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

import record
from comparisons import Difference
from partedvae import PartedVAE
from partedvae.config import preset
from partedvae.data import Reading, load
from partedvae.data.images import resize
from partedvae.labels import MISSING

Array = NDArray[Any]
Split = tuple[Array, Array, Array, Array]

_ROWS, _PER_CLASS = 2_000, 10  # of a table
_SPRITES, _PER_ATTRIBUTE = 10_000, 200


def main() -> None:
    """Fit, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=_DATA, default=list(_DATA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.data:
        with ProcessPoolExecutor(
            arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            runs = list(pool.map(accuracies, [name] * arguments.seeds, range(arguments.seeds)))
        by_method = {method: {seed: {"accuracy": run[method]} for seed, run in enumerate(runs)} for method in runs[0]}
        differences = {
            method: asdict(difference)
            for method in by_method
            if (difference := Difference.of(by_method["default"], by_method[method], "accuracy")) is not None
        }
        found: dict[str, Any] = {
            "data": _CALLED[name],
            "summary": {m: {"mean": mean(r[m] for r in runs), "sd": stdev(r[m] for r in runs)} for m in runs[0]},
            "default_less_other": differences,
            "by_seed": runs,
        }
        table = Table("method", "accuracy", "default less it", title=f"{_CALLED[name]}, {arguments.seeds} seeds")
        for method, figure in found["summary"].items():
            d = differences[method]
            table.add_row(
                method,
                f"{figure['mean']:.4f} ± {figure['sd']:.4f}",
                f"{d['value']:+.4f} [{d['low']:+.4f}, {d['high']:+.4f}]",
            )
        Console().print(table)
        print(f"written to {record.write(f'other_data_{name}', found, threads=1)}")


def accuracies(name: str, seed: int) -> dict[str, float]:
    """Of every method on one split."""
    x, y, x_test, y_test = _DATA[name](seed)
    found = {}
    for method, settings in (("default", {}), ("published recipe", dict(preset("paper")))):
        model = PartedVAE(**{**settings, **_SETTINGS[name], "random_state": seed}).fit(x, y)
        found[method] = _right(model.predict(x_test), y_test)
    for method, make in SKLEARN.items():
        columns = [make().fit(flat(x), column).predict(flat(x_test)) for column in y.reshape(len(y), -1).T]
        found[method] = _right(np.stack(columns, axis=1), y_test)
    return found


def _right(predicted: Array, truth: Array) -> float:
    return float(np.mean(predicted.reshape(len(truth), -1) == truth.reshape(len(truth), -1)))


def flat(x: Array) -> Array:
    """What scikit-learn takes: a row of numbers an observation."""
    return x.reshape(len(x), -1).astype(np.float64)


SKLEARN: dict[str, Callable[[], Any]] = {
    "label spreading": lambda: make_pipeline(StandardScaler(), LabelSpreading(kernel="knn")),
    "self-training, logistic": lambda: make_pipeline(
        StandardScaler(), SelfTrainingClassifier(LogisticRegression(max_iter=1000))
    ),
}


def _table(seed: int) -> Split:
    """569 tumours, 30 measures, ten labels a class."""
    x, y = load_breast_cancer(return_X_y=True)
    return divided(x, y, seed)


def divided(x: Array, y: Array, seed: int) -> Split:
    """Rows to fit on, all but ten labels of each class hidden, and rows to be asked about; 2,000 of each at most."""
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, stratify=y, random_state=seed)
    x, y = x[:_ROWS], y[:_ROWS]
    random = np.random.default_rng(seed)
    known = np.concatenate([random.permutation(np.flatnonzero(y == k))[:_PER_CLASS] for k in np.unique(y)])
    few = np.full(len(y), MISSING)
    few[known] = y[known]
    return x, few, x_test[:_ROWS], y_test[:_ROWS]


def _two_attributes(seed: int) -> Split:
    """Sprites at 16×16 with the shape of 200 and the scale of 200 others, and mostly neither."""
    data = load("sprites", Reading(size=(64, 64), labels=("shape", "scale")))
    random = np.random.default_rng(seed)
    rows = random.permutation(len(data))[: 2 * _SPRITES]
    chosen = data.take(rows)
    x, y = resize(chosen.array, (16, 16)), chosen.codes
    few = np.full((_SPRITES, 2), MISSING)
    for column in range(2):
        known = random.permutation(_SPRITES)[:_PER_ATTRIBUTE]
        few[known, column] = y[known, column]
    return x[:_SPRITES], few, x[_SPRITES:], y[_SPRITES:]


_DATA: dict[str, Callable[[int], Split]] = {"table": _table, "attributes": _two_attributes}
_CALLED = {"table": "breast cancer", "attributes": "sprites, shape and scale"}
_SETTINGS: dict[str, dict[str, Any]] = {"table": {}, "attributes": {"max_epochs": 30}}


if __name__ == "__main__":
    main()
