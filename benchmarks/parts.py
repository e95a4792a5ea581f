"""What each part of the default recipe gives: the default without it, on training rows that were held out.

    python benchmarks/parts.py [--run parts many_labels long_run] [--seeds 2] [--jobs 2]

Fashion-MNIST at 16×16, 256 labels, which a seed chooses. *parts*: of the first 20,000 training pictures a fifth is held
out, ten epochs. *many_labels*: the same with 5,000 labels. *long_run*: of all of them a tenth, thirty epochs,
``--precision auto``. Writes the tables of docs/recipe.md. It may be stopped: of the same commit, runs that are in
runs/benchmark are not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import record
from grid import KEPT
from measured import measured
from oracle import Oracle
from partedvae.config import preset
from readme import replaced
from rivals.ours import parted_vae
from tasks import Task, fashion_of_a_long_run, fashion_to_choose_on

PAGE = Path(__file__).parent.parent / "docs" / "recipe.md"

PARTS: Mapping[str, Mapping[str, Any]] = {
    "the default": {},
    "without consistency": {"consistency": 0.0},
    "capacities with a corner": {"capacity_width": 0.0},
    "labelled rate as the other": {"lr_labelled": 1e-3, "lr_labelled_end": 1.0},
    "labelled rate that does not fall": {"lr_labelled_end": 1.0},
    "with the term of the entropy, γ_h = 5": {"gamma_h": 5.0},
    "without independence": {"gamma_zc": 0.0},
    "without swaps": {"gamma_swap": 0.0},
    "without the fitted prior": {"fit_prior": False},
    "without the average of weights": {"averaged_steps": 0},
    "without labels that join late": {"calibration_fraction": 0.0},
    "without all of them (preset `paper`)": preset("paper"),
}
MANY: Mapping[str, Mapping[str, Any]] = {
    "the default": {},
    "labelled pictures changed, as if they were few": {"memorised_after": 0},
    "without consistency": {"consistency": 0.0},
    "without all of them (preset `paper`)": preset("paper"),
}
LONG: Mapping[str, Mapping[str, Any]] = {
    "the default": {},
    "consistency that does not fade": {"consistency_steps": 10**9},
    "capacities with a corner": {"capacity_width": 0.0},
    "without swaps": {"gamma_swap": 0.0},
    "published (preset `paper-mnist`, lengths and γ_x by the data)": {
        **preset("paper-mnist"),
        **dict.fromkeys(("gamma_x", "capacity_steps", "sharpness_steps"), "auto"),
        "max_epochs": 30,
    },
}
RUNS: Mapping[str, tuple[Mapping[str, Mapping[str, Any]], Callable[[int], Task], str]] = {
    "parts": (PARTS, fashion_to_choose_on, "32-true"),
    "many_labels": (MANY, partial(fashion_to_choose_on, n_labels=5_000), "32-true"),
    "long_run": (LONG, fashion_of_a_long_run, "auto"),
}
"""By name: what is changed, the task, and the precision."""

_SHOWN = {
    "accuracy": "accuracy",
    "ece": "calibration error",
    "class_from_z": "class read from z",
    "swap_accuracy": "class kept in swaps",
    "generation_accuracy": "samples recognised",
    "mse": "MSE",
}


def main() -> None:
    """Fit, keep the figures, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.run:
        changes, make, _ = RUNS[name]
        task = make(0)
        Oracle.kept(task.x, task.truth, KEPT)  # once, not in both processes
        asked = list(product([name], range(arguments.seeds), changes))
        with ProcessPoolExecutor(
            arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            runs = list(pool.map(kept, *zip(*asked, strict=True)))
        found = {part: [run for (*_, of), run in zip(asked, runs, strict=True) if of == part] for part in changes}
        print(f"written to {record.write(name, {'by_part': found}, threads=1)}")
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), name, table(name)), encoding="utf-8")


def kept(name: str, seed: int, part: str) -> dict[str, float]:
    """``figures``, unless code of this commit has left them."""
    return record.kept(f"{name}/{list(RUNS[name][0]).index(part)}_{seed}", lambda: figures(name, seed, part))


def figures(name: str, seed: int, part: str) -> dict[str, float]:
    """All measures of one fit."""
    changes, make, precision = RUNS[name]
    task = make(seed)
    learned = parted_vae(task, seed, **changes[part], trainer_options={"precision": precision})
    return measured(learned, task, Oracle.kept(task.x, task.truth, KEPT), seed)


def table(name: str, results: Path = record.RESULTS) -> str:
    """Markdown of what was kept: means, and how far the seeds are apart."""
    kept = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
    found: dict[str, list[dict[str, float]]] = kept["by_part"]
    lines = ["| | " + " | ".join(_SHOWN.values()) + " |", "|---" * (len(_SHOWN) + 1) + "|"]
    for part, runs in found.items():
        cells = [_told([run[key] for run in runs]) for key in _SHOWN]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _told(values: list[float]) -> str:
    return f"{mean(values):.3g}" + (f" ± {stdev(values):.1g}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
