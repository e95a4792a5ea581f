"""The published recipe on Fashion-MNIST: 60,000 pictures, 256 labels; figures on the 10,000 test pictures.

    python benchmarks/fashion_mnist.py [--seed 0] [--labelled stratified|first] [--reuse]

The published code labels the first 256 rows; ``stratified`` takes the classes in their proportions instead. The model
is kept under runs/, and ``--reuse`` measures it again without training.

Needs the four files of Fashion-MNIST: Debian's package dataset-fashion-mnist, or a folder given by --data-dir.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.table import Table

import record
from oracle import Oracle
from partedvae import PartedVAE
from partedvae.data import Dataset, choose_labelled, load

N_TRAIN, N_LABELS, SIDE, CAPACITY_STEPS = 60_000, 256, 32, 25_000
SAMPLES_PER_CLASS = 500


def main() -> None:
    """Train, measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--labelled", choices=["stratified", "first"], default="stratified")
    parser.add_argument("--reuse", action="store_true")
    arguments = parser.parse_args()

    train, test = training_and_test(arguments.data_dir)
    name = f"fashion_mnist_{arguments.labelled}_seed{arguments.seed}"
    folder = Path("runs") / name
    if not arguments.reuse:
        few = train.with_labels_of(labelled_rows(train, arguments.labelled, arguments.seed))
        PartedVAE.from_preset(
            "paper-mnist",
            max_epochs=arguments.epochs,
            capacity_steps=CAPACITY_STEPS,
            random_state=arguments.seed,
            verbose=True,
        ).fit(few).save(folder)
    model = PartedVAE.load(folder)

    oracle = Oracle(train.array, train.codes[:, 0])
    figures = measure(model, oracle, train.attributes[0].classes, test, arguments.seed)
    last = model.history_[-1]
    path = record.write(name, {"measured": figures, "last_epoch": last})
    show(figures, last)
    print(f"written to {path}")


def training_and_test(data_dir: Path | None) -> tuple[Dataset, Dataset]:
    """The 60,000 pictures for training and the 10,000 for testing, at the size that the paper's model has."""
    data = load("fashion-mnist", data_dir=None if data_dir is None else str(data_dir), size=(SIDE, SIDE))
    return data.take(range(N_TRAIN)), data.take(range(N_TRAIN, len(data)))


def labelled_rows(train: Dataset, way: str, seed: int) -> np.ndarray:
    """Which rows keep their labels."""
    return np.arange(N_LABELS) if way == "first" else choose_labelled(train, total=N_LABELS, seed=seed)


class Measurable(Protocol):
    """What is asked of a model: ``PartedVAE`` has it, and so has the published code behind a few lines."""

    def score(self, x: np.ndarray, y: np.ndarray, /) -> float:
        """Accuracy."""

    def reconstruct(self, x: np.ndarray, /) -> np.ndarray:
        """Pictures decoded from their posterior means."""

    def swap(self, content: np.ndarray, style: np.ndarray, /) -> np.ndarray:
        """U of one, z of the other."""

    def sample(self, n: int, label: Any, random_state: int) -> np.ndarray:
        """Pictures of one class from the prior."""


def measure(model: Measurable, oracle: Oracle, names: np.ndarray, test: Dataset, seed: int) -> dict[str, float]:
    """Accuracy, reconstruction, and what the oracle sees in swaps of random pairs and in prior samples."""
    x, truth = test.array, test.y

    def seen(pictures: np.ndarray) -> np.ndarray:
        return names[oracle.judge(pictures)]

    reconstruction = model.reconstruct(x)
    partners = np.random.default_rng(seed).permutation(len(x))
    recognised = [
        np.mean(seen(model.sample(SAMPLES_PER_CLASS, name, random_state=seed + number)) == name)
        for number, name in enumerate(names)
    ]
    return {
        "oracle_accuracy": float(np.mean(seen(x) == truth)),
        "accuracy": float(model.score(x, truth)),
        "mse": float(np.mean((reconstruction - x / 255) ** 2)),
        "reconstruction_recognised": float(np.mean(seen(reconstruction) == truth)),
        "swap_accuracy": float(np.mean(seen(model.swap(x, x[partners])) == truth)),
        "generation_accuracy": float(np.mean(recognised)),
    }


def show(figures: dict[str, float], last: dict[str, float]) -> None:
    """A table on the terminal."""
    table = Table("figure", "value", title="Fashion-MNIST, 256 labels, paper-mnist")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}")
    for name in ("z_kl", "u_kl", "c_kl", "c_entropy", "bc"):
        table.add_row(name, f"{last[name]:.4g}")
    Console().print(table)


if __name__ == "__main__":
    main()
