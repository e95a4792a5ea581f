"""What a step of the default gains from memory that stays, each time in a new process.

python benchmarks/kept_memory.py [--sides 32 64] [--rounds 3] [--threads 2]

A process that has freed large arrays before keeps more of itself, and gains less.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from statistics import median
from unittest import mock

import torch

import record
from clock import Clock
from partedvae import PartedVAE, memory
from partedvae.data import choose_labelled, load
from partedvae.data.images import resize
from speed.timing import ratios


def main() -> None:
    """Print the ratios of the rounds' median steps, with memory kept over without, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {}
    for side in arguments.sides:
        rounds = [
            [_in_a_new_process(side, kept, arguments.threads) for kept in (True, False)]
            for _ in range(arguments.rounds)
        ]
        kept, given_back = zip(*rounds, strict=True)
        found[str(side)] = ratios(kept, given_back)
        print(side, found[str(side)], flush=True)
    record.write("kept_memory", {"rounds": arguments.rounds, "kept_over_given_back": found})


def _in_a_new_process(side: int, kept: bool, threads: int) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_step, side, kept, threads).result()


def _step(side: int, kept: bool, threads: int) -> float:
    """Seconds of the median step."""
    torch.set_num_threads(threads)
    digits = load("digits")
    x = resize(digits.array, (side, side))
    y = digits.with_labels_of(choose_labelled(digits, per_class=10, seed=0)).y
    timed = Clock()
    with nullcontext() if kept else mock.patch.object(memory, "kept", nullcontext):
        PartedVAE(fit_prior=False, max_epochs=2, random_state=0, trainer_options={"callbacks": [timed]}).fit(x, y)
    return median(timed.steps)


if __name__ == "__main__":
    main()
