"""Every method on every task with every seed: one cell each, kept as JSON, so that what is finished is not done again.

    python benchmarks/grid.py [--tasks digits sprites …] [--methods PartedVAE M2 …] [--without M2 …] [--seeds 3]
                              [--jobs 2] [--precision 32-true] [--out benchmarks/results/cells]

A cell is trained with one thread; --jobs cells at a time. Stop whenever you like and start again: cells whose file is
there are left alone. To have one again, delete its file. What they say together: python benchmarks/results.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

import record
from measured import measured
from oracle import Oracle
from rivals.classifiers import label_spreading, labels_only, self_training
from rivals.learned import Learned
from rivals.ours import ABLATIONS, ADDITIONS, OURS
from rivals.unlabelled import beta_vae, factor_vae, vae
from rivals.with_classes import joint_vae, m2
from tasks import TASKS, Task

KEPT = Path("runs") / "benchmark"

METHODS: dict[str, Callable[[Task, int], Learned]] = {
    **OURS,
    "M2": m2,
    "JointVAE": joint_vae,
    "FactorVAE": factor_vae,
    "β-VAE": beta_vae,
    "VAE": vae,
    "labels only": labels_only,
    "label spreading": label_spreading,
    "self-training": self_training,
}

_CLASSIFIERS = ["labels only", "label spreading", "self-training"]
_FEWER: dict[str, list[str]] = {
    "digits-novelty": ["PartedVAE", "our recipe", "no labels", "M2", "JointVAE", "FactorVAE", "β-VAE", "VAE"],
    **{f"fashion-mnist-{n}": ["PartedVAE", "our recipe", *_CLASSIFIERS] for n in (50, 100, 1000)},
}
"""Methods of tasks that do not ask for all: those that tell novel from known, those that a number of labels is for."""

SEEDS = 3
ON_TWO_CORES = [name for name in TASKS if not name.endswith("-published")]


class Cell(NamedTuple):
    """One method on one task with one seed."""

    task: str
    method: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.task}/{self.method.replace(' ', '-')}_seed{self.seed}"


def main() -> None:
    """Compute what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=ON_TWO_CORES, metavar="TASK")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    parser.add_argument("--without", nargs="+", choices=list(METHODS), default=[], metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--precision", default="32-true", help="of PartedVAE with whatever changed; auto: the fastest")
    parser.add_argument("--out", type=Path, default=record.CELLS)
    arguments = parser.parse_args()
    methods = [method for method in arguments.methods if method not in arguments.without]
    wanted = list(cells(arguments.tasks, methods, arguments.seeds))
    missing = [cell for cell in wanted if not (arguments.out / f"{cell.name}.json").exists()]
    console = Console(soft_wrap=True)
    console.print(f"{len(wanted)} cells, {len(wanted) - len(missing)} of them finished before")
    # Processes of their own, one thread each: threads of several trainings would wait for each other.
    with ProcessPoolExecutor(
        arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        running = {pool.submit(compute, cell, arguments.out, arguments.precision): cell for cell in missing}
        failed = 0
        for number, done in enumerate(as_completed(running), start=1):
            error = done.exception()
            failed += error is not None
            outcome = f"{done.result():.0f} s" if error is None else f"failed: {type(error).__name__}: {error}"
            console.print(f"{number}/{len(missing)}  {running[done].name}  {outcome}", highlight=False)
    if failed:
        raise SystemExit(f"{failed} cells failed; the others are kept.")


def cells(tasks: list[str], methods: list[str], n_seeds: int) -> Iterator[Cell]:
    """All of them, the first seed of every method before the second of any."""
    for task in tasks:
        asked = [method for method in methods if method in _FEWER.get(task, METHODS)]
        yield from (Cell(task, method, seed) for seed in range(n_seeds) for method in asked)


def compute(cell: Cell, out: Path, precision: str = "32-true") -> float:
    """Train, measure, keep; seconds that training took."""
    task = TASKS[cell.task](cell.seed)
    torch.manual_seed(cell.seed)
    started = time.perf_counter()
    if cell.method in OURS:
        learned = OURS[cell.method](task, cell.seed, trainer_options={"precision": precision})
    else:
        learned = METHODS[cell.method](task, cell.seed)
    seconds = time.perf_counter() - started
    oracle = Oracle.kept(task.x, task.truth, KEPT)
    record.write(
        cell.name,
        {
            "task": cell.task,
            "method": cell.method,
            "seed": cell.seed,
            "changed": {**ABLATIONS, **ADDITIONS}.get(cell.method),
            "settings": dict(task.settings),
            "precision": precision if cell.method in OURS else None,
            "n_train": len(task.x),
            "n_labelled": len(task.labelled),
            "n_test": len(task.x_test),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "measures": measured(learned, task, oracle, cell.seed),
        },
        command=f'python benchmarks/grid.py --tasks {cell.task} --methods "{cell.method}" --seeds {cell.seed + 1}'
        + (f" --precision {precision}" if precision != "32-true" else ""),
        folder=out,
    )
    return seconds


if __name__ == "__main__":
    main()
