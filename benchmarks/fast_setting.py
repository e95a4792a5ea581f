"""Whether the fast setting learns as well as the usual one, and how much sooner it is done.

    python benchmarks/fast_setting.py [--seeds 3] [--epochs 5]

The published recipe on Fashion-MNIST at 32×32 with 256 labels, with the usual and with the fast setting, in turns and
with as many threads as torch takes. Means of figures on the test pictures, with the least and the most.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

import record
from grid import KEPT
from measured import measured
from oracle import Oracle
from partedvae.config import Config
from rivals.ours import parted_vae
from tasks import Task, fashion_of_published_size

_BATCH = 128
_WHOLE = {"capacity_steps": "auto", "sharpness_steps": "auto"}  # schedules that end within so few epochs
_SHOWN = ("accuracy", "class_from_z", "swap_accuracy", "generation_accuracy", "mse", "seconds")


def main() -> None:
    """Fit, measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {"usual": [], "fast": []}
    for seed in range(arguments.seeds):
        task = fashion_of_published_size(seed, {"max_epochs": arguments.epochs, **_WHOLE})
        for name, changed in (("usual", {}), ("fast", fast(task.settings))):
            runs[name].append(figures(task, seed, changed))
            print(name, seed, {key: round(runs[name][-1][key], 4) for key in _SHOWN}, flush=True)
    record.write("fast_setting", {"epochs": arguments.epochs, "runs": runs})
    table = Table("figure", *runs, title="Fashion-MNIST, published recipe")
    for key in _SHOWN:
        columns = [[run[key] for run in of_setting] for of_setting in runs.values()]
        table.add_row(key, *map(_told, columns))
    Console().print(table)


def summary(found: Mapping[str, Any]) -> str:
    """A sentence for docs/performance.md."""
    runs = found["runs"]

    def told(key: str) -> str:
        return " and ".join(_told([run[key] for run in runs[name]]) for name in ("usual", "fast"))

    return (
        f"`{found['command']}`, the published recipe, {found['epochs']} epochs of Fashion-MNIST with 256 labels, "
        f"{len(runs['fast'])} seeds, usual and fast: accuracy {told('accuracy')}, class read from z "
        f"{told('class_from_z')}, class kept in swaps {told('swap_accuracy')}, MSE {told('mse')}, seconds "
        f"{told('seconds')}."
    )


def _told(values: list[float]) -> str:
    return f"{mean(values):.3g} ({min(values):.3g} – {max(values):.3g})"


def fast(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is changed: twice the batch, rates that grow with it, bfloat16 where the machine multiplies it.

    The labelled rate grows as its square: with half the steps, labels would else say less beside the other terms.
    """
    usual = Config.checked(settings)
    factor = _BATCH / usual.batch_size
    return {
        "batch_size": _BATCH,
        "lr": factor * usual.lr,
        "lr_labelled": factor**2 * usual.lr_labelled,
        "trainer_options": {"precision": "auto"},
    }


def figures(task: Task, seed: int, changed: Mapping[str, Any]) -> dict[str, float]:
    """All measures of one fit, and the seconds that it took."""
    started = time.perf_counter()
    learned = parted_vae(task, seed, **changed)
    seconds = time.perf_counter() - started
    return {**measured(learned, task, Oracle.kept(task.x, task.truth, KEPT), seed), "seconds": seconds}


if __name__ == "__main__":
    main()
