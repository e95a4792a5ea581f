"""Many seeds, and classes of very different sizes: whether the default still does its work.

    python benchmarks/robustness.py [--seeds 20] [--uneven 10] [--jobs 2]

Seeds: digits, five labels a class, a new split and a new start each; a run has collapsed if it is right in less than
0.8 of the test rows. Imbalance: MNIST at 16×16, classes from all of their rows down to a twentieth, 100 labels in these
proportions but at least one of each class; beside as many rows and labels of classes of one size. On the same test
rows: balanced accuracy, and accuracy where the classes are as frequent as in training.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import recall_score

import record
from partedvae import PartedVAE
from partedvae.data import choose_labelled, hold_out, load
from partedvae.labels import MISSING
from tasks import mnist_at_hand

Integers = NDArray[np.int64]

_COLLAPSED, _RATIO, _LABELS = 0.8, 20, 100


def main() -> None:
    """Fit, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--uneven", type=int, default=10, help="seeds of the classes of different sizes")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(
        arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        uneven = list(pool.map(imbalance, range(arguments.uneven)))
        accuracies = list(pool.map(digits, range(arguments.seeds)))
    found: dict[str, Any] = {
        "digits": {
            "mean": mean(accuracies),
            "sd": stdev(accuracies),
            "least": min(accuracies),
            "collapsed": sum(accuracy < _COLLAPSED for accuracy in accuracies),
            "by_seed": accuracies,
        },
        "imbalance": {name: [run[name][0] for run in uneven] for name in uneven[0]},
        "imbalance_as_trained": {name: [run[name][1] for run in uneven] for name in uneven[0]},
    }
    path = record.write("robustness", found, threads=1)
    print(found)
    print(f"written to {path}")


def digits(seed: int) -> float:
    """Test accuracy of one split."""
    data = load("digits")
    train, test = (data.take(rows) for rows in hold_out(data, 0.2, seed))
    few = train.with_labels_of(choose_labelled(train, per_class=5, seed=seed))
    return PartedVAE(random_state=seed).fit(few).score(test.array, test.y)


def imbalance(seed: int) -> dict[str, tuple[float, float]]:
    """With classes of one size, and of very different ones: the mean recall, as it is and weighted by these sizes."""
    data = mnist_at_hand()
    train, test = (data.take(rows) for rows in hold_out(data, 0.2, seed))
    truth = train.codes[:, 0]
    random = np.random.default_rng(seed)
    most = np.bincount(truth).min()
    uneven = np.rint(most * _RATIO ** -(random.permutation(10) / 9)).astype(int)
    even = np.full(10, round(uneven.sum() / 10))
    found = {}
    for name, sizes, class_prior in (
        ("balanced", even, "auto"),
        ("1:20", uneven, "auto"),
        ("1:20, class_prior=uniform", uneven, "uniform"),
        ("1:20, class_prior=estimated", uneven, "estimated"),
    ):
        rows, labelled = _chosen(truth, sizes, np.random.default_rng(seed))
        y = np.full(len(rows), MISSING)
        y[labelled] = truth[rows[labelled]]
        model = PartedVAE(class_prior=class_prior, random_state=seed).fit(train.array[rows], y)
        recalls = recall_score(test.codes[:, 0], model.predict(test.array), average=None)
        found[name] = float(recalls.mean()), float(np.average(recalls, weights=sizes))
    return found


def _chosen(truth: Integers, sizes: Integers, random: np.random.Generator) -> tuple[Integers, Integers]:
    """Rows with so many of each class, and which of them are labelled."""
    by_class = [random.permutation(np.flatnonzero(truth == k))[:n] for k, n in enumerate(sizes)]
    n_labels = np.maximum(1, np.rint(_LABELS * sizes / sizes.sum())).astype(int)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    labelled = np.concatenate([start + np.arange(n) for start, n in zip(starts, n_labels, strict=True)])
    return np.concatenate(by_class), labelled


if __name__ == "__main__":
    main()
