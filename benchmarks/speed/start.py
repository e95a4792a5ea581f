"""Seconds until something happens, and what a process holds, each in processes of its own."""

from __future__ import annotations

import subprocess
import sys
import time

from speed.timing import ROWS, SIDE, Spread, spread

_FIRST_STEP = """
import numpy as np
from partedvae import PartedVAE
options = {"limit_train_batches": 1, "accelerator": "cpu"}
x = np.random.default_rng(0).random((64, 32, 32))
PartedVAE(max_epochs=1, fit_prior=False, trainer_options=options).fit(x, np.arange(64) % 2)
"""
_IMPORTED = """
import numpy as np
from partedvae import PartedVAE
import partedvae.fitting
"""
_FITTED = """
x = np.random.default_rng(0).integers(0, 256, size=({rows}, {side}, {side}), dtype=np.uint8)
PartedVAE(max_epochs=2, fit_prior=False, trainer_options={{"accelerator": "cpu"}}).fit(x, np.arange({rows}) % 10)
"""
_HELD = """
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(lines["VmHWM"].split()[0]) // 1024)
"""


def start(rounds: int) -> dict[str, Spread]:
    """Seconds until something happens, each in processes of its own."""
    commands = {
        "import partedvae": [sys.executable, "-c", "import partedvae"],
        "partedvae --help": [sys.executable, "-m", "partedvae", "--help"],
        "from partedvae import PartedVAE": [sys.executable, "-c", "from partedvae import PartedVAE"],
        "from nothing to the first step": [sys.executable, "-c", _FIRST_STEP],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    return {name: spread(values) for name, values in seconds.items()}


def peak_memory() -> dict[str, int]:
    """MiB that a process holds at most: one that only imports what a fit needs, and one that fits.

    As the system counts them for the program that runs now: ``getrusage`` tells of the one that started it, too.
    """
    tasks = {"imports": _IMPORTED, "fit": _IMPORTED + _FITTED.format(rows=ROWS, side=SIDE)}
    return {name: int(subprocess.check_output([sys.executable, "-c", task + _HELD])) for name, task in tasks.items()}
