"""What a step of the default costs beside one of the published recipe, alternating in one run.

    python benchmarks/step_cost.py [--side 32] [--rounds 7] [--steps 60]

Random pictures: what they show does not matter to time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

import record
from partedvae import PartedVAE
from partedvae.config import preset

_BATCH = 64


def main() -> None:
    """Print the ratio's least, median and most, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(arguments.steps * _BATCH, arguments.side, arguments.side), dtype=np.uint8)
    y = np.where(np.arange(len(x)) < 4 * _BATCH, np.arange(len(x)) % 10, -1)

    def seconds(settings: dict[str, Any]) -> float:
        """Of two epochs less one: what a fit costs before and after its steps falls away."""
        taken = []
        for epochs in (1, 2):
            started = time.perf_counter()
            PartedVAE(**{**settings, "max_epochs": epochs, "fit_prior": False, "random_state": 0}).fit(x, y)
            taken.append(time.perf_counter() - started)
        return taken[1] - taken[0]

    published = dict(preset("paper"))
    seconds({})  # the first run warms caches
    ratios = [seconds({}) / seconds(published) for _ in range(arguments.rounds)]
    found = {"least": min(ratios), "median": statistics.median(ratios), "most": max(ratios)}
    rounded = {name: round(ratio, 3) for name, ratio in found.items()}
    print(", ".join(f"{name} {ratio}" for name, ratio in rounded.items()))
    record.write(
        f"step_cost_{arguments.side}",
        {"side": arguments.side, "batch": _BATCH, "default_over_published": rounded},
        command=f"python benchmarks/step_cost.py --side {arguments.side}",
    )


if __name__ == "__main__":
    main()
