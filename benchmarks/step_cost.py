"""What a step of the default costs beside one of the published recipe, alternating in one run.

python benchmarks/step_cost.py [--side 32] [--rounds 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

import torch

import record
from clock import Clock
from partedvae import PartedVAE
from partedvae.config import preset
from partedvae.data import choose_labelled, load
from partedvae.data.images import resize


def main() -> None:
    """Print the least, the median and the most of the rounds' ratios of median steps, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    digits = load("digits")
    x = resize(digits.array, (arguments.side, arguments.side))
    y = digits.with_labels_of(choose_labelled(digits, per_class=10, seed=0)).y

    def step(settings: Mapping[str, Any]) -> float:
        timed = Clock()
        options = {"callbacks": [timed]}
        PartedVAE(
            **{**settings, "memorised_after": 0, "random_state": 0},
            fit_prior=False,
            max_epochs=2,
            trainer_options=options,
        ).fit(x, y)
        return statistics.median(timed.steps)

    ratios = [step({}) / step(preset("paper")) for _ in range(arguments.rounds)]
    found = {"least": min(ratios), "median": statistics.median(ratios), "most": max(ratios)}
    rounded = {name: round(ratio, 3) for name, ratio in found.items()}
    print(", ".join(f"{name} {ratio}" for name, ratio in rounded.items()))
    record.write(
        f"step_cost_{arguments.side}",
        {"side": arguments.side, "rounds": arguments.rounds, "default_over_published": rounded},
    )


if __name__ == "__main__":
    main()
