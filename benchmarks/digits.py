"""The default on 1,797 real digits, 5 labels a class, beside two of scikit-learn's methods on the same 50 labels.

    python benchmarks/digits.py [--seeds 5]

Each seed divides 80/20, stratified; all figures are of the 20 % that nothing was fit on.
"""

from __future__ import annotations

import argparse
import time
from statistics import mean, stdev

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

import record
from partedvae import PartedVAE
from partedvae.data import Dataset, choose_labelled, hold_out, load

PER_CLASS, HOLDOUT = 5, 0.2
Figures = dict[str, float]


def main() -> None:
    """Fit, measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    n_seeds = parser.parse_args().seeds
    data = load("digits")
    runs = [one_split(data, seed) for seed in range(n_seeds)]
    summary = {name: {"mean": mean(r[name] for r in runs), "sd": stdev(r[name] for r in runs)} for name in runs[0]}
    path = record.write("digits", {"summary": summary, "by_seed": runs})
    table = Table("figure", "mean", "sd", title=f"digits, {PER_CLASS} labels a class, {n_seeds} seeds")
    for name, figure in summary.items():
        table.add_row(name, f"{figure['mean']:.4g}", f"{figure['sd']:.2g}")
    Console().print(table)
    print(f"written to {path}")


def one_split(data: Dataset, seed: int) -> Figures:
    """Accuracy of each method on one split, and the terms of ours."""
    train_rows, test_rows = hold_out(data, HOLDOUT, seed)
    train, test = data.take(train_rows), data.take(test_rows)
    few = train.with_labels_of(choose_labelled(train, per_class=PER_CLASS, seed=seed))
    labelled = few.labelled
    flat, flat_test = few.array.reshape(len(few), -1) / 255, test.array.reshape(len(test), -1) / 255
    numbers, truth = few.codes[:, 0], test.codes[:, 0]

    started = time.perf_counter()
    model = PartedVAE(random_state=seed).fit(few)
    seconds = time.perf_counter() - started
    logistic = LogisticRegression(max_iter=5000).fit(flat[labelled], numbers[labelled])
    spreading = LabelSpreading(kernel="knn", n_neighbors=7).fit(flat, numbers)
    last = model.history_[-1]
    return {
        "accuracy": model.score(test.array, test.y),
        "logistic_regression": float(logistic.score(flat_test, truth)),
        "label_spreading": float(spreading.score(flat_test, truth)),
        "mse": float(np.mean((model.reconstruct(test.array) - test.array / 255) ** 2)),
        "seconds": round(seconds, 1),
        **{name: last[name] for name in ("z_kl", "u_kl", "c_kl", "c_entropy", "bc", "cross_entropy")},
    }


if __name__ == "__main__":
    main()
