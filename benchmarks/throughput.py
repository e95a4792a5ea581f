"""How near training is to the least that its networks cost, and how its cost grows; writes docs/performance.md.

    python benchmarks/throughput.py [--rounds 5] [--threads 2]

Everything that is compared is run in turns in one process, so that a noisy machine hurts all alike, and is told as
ratios. *Floor* is forward, backward and a fused Adam of the bare networks on tensors in memory; *plain loop* our
restatement of the published one (plain_loop.py); *fit* what a user calls, whole epochs, history on, labelled batches
included.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import record
from clock import Clock
from partedvae import PartedVAE
from partedvae.config import Config, preset
from partedvae.factory import Schedule, make_model, make_objective
from partedvae.inference import infer
from partedvae.persistence import write_whole
from partedvae.scaling import Scaling
from plain_loop import floor_step, plain_step

Array = NDArray[Any]
Spread = dict[str, float]

ROWS, SIDE, BATCH, LABELLED, CLASSES = 4_096, 32, 64, 256, 10
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    """Measure, keep, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {
        "rounds": arguments.rounds,
        "training": training(arguments.rounds),
        "inference": inference(arguments.rounds),
        "start": start(arguments.rounds),
        "growth": growth(),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    path = record.write("throughput", found)
    text = page(json.loads(path.read_text(encoding="utf-8")))
    write_whole(PAGE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(text)


def pictures(n: int, side: int, channels: int = 1) -> Array:
    """Noise: what it costs does not depend on what it shows."""
    shape = (n, side, side) if channels == 1 else (n, side, side, channels)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def fitted(x: Array, y: Array, settings: Mapping[str, Any]) -> Clock:
    """A fit of two epochs, and how long they took."""
    clock = Clock()
    options = {"callbacks": [clock], "accelerator": "cpu"}
    PartedVAE(**{"max_epochs": 2, "random_state": 0, "fit_prior": False, **settings}, trainer_options=options).fit(x, y)
    return clock


def training(rounds: int) -> dict[str, Any]:
    """Pictures a second of the floor, the plain loop, and fit by both recipes; the last ratios are to the floor."""
    x, y = pictures(ROWS, SIDE), np.where(np.arange(ROWS) < LABELLED, np.arange(ROWS) % CLASSES, -1)
    config = Config.checked({**preset("paper")})
    scaling = Scaling.fit(torch.from_numpy(x)[:, None], standardise=False)
    raw = torch.from_numpy(x)[:, None].float() / 255
    labels = torch.from_numpy(y[:LABELLED])

    def model() -> Any:
        return make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])

    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    loops = {"floor": floor_step(model(), 1e-3), "plain loop": plain_step(model(), objective, 1e-3)}

    def rate_of(step: Callable[..., None]) -> float:
        order = torch.randperm(len(raw))
        started = time.perf_counter()
        for number, rows in enumerate(order.split(BATCH)):
            first = number * BATCH % LABELLED
            step(raw[rows], raw[first : first + BATCH], labels[first : first + BATCH])
        return len(raw) / (time.perf_counter() - started)

    recipes = {"fit, published recipe": dict(preset("paper")), "fit, default": {}}
    rates: dict[str, list[float]] = {name: [] for name in (*loops, *recipes)}
    for _ in range(rounds):
        for name, step in loops.items():
            rates[name].append(rate_of(step))
        for name, settings in recipes.items():
            rates[name].append(ROWS / min(fitted(x, y, {**settings, "batch_size": BATCH}).epochs))
    return {
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        "over_floor": {name: ratios(values, rates["floor"]) for name, values in rates.items() if name != "floor"},
        "over_plain": {name: ratios(rates[name], rates["plain loop"]) for name in recipes},
    }


def inference(rounds: int) -> dict[str, Any]:
    """What encode and predict_proba do of the bare encoder's pictures a second."""
    x, y = pictures(ROWS, SIDE), np.arange(ROWS) % CLASSES
    model = PartedVAE(max_epochs=1, random_state=0, trainer_options={"accelerator": "cpu"}).fit(x[:256], y[:256])
    raw = torch.from_numpy(x)[:, None]

    def bare() -> None:
        with torch.inference_mode():
            for part in raw.split(512):
                model.net_.encoder(part.float() / 255)

    tasks = {
        "bare encoder": bare,
        "infer": lambda: infer(model.net_, raw),
        "encode": lambda: model.encode(x),
        "predict_proba": lambda: model.predict_proba(x),
    }
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - started)
    return {name: ratios(seconds["bare encoder"], values) for name, values in seconds.items() if name != "bare encoder"}


def start(rounds: int) -> dict[str, Spread]:
    """Seconds until something happens, each in processes of its own."""
    commands = {
        "import partedvae": [sys.executable, "-c", "import partedvae"],
        "partedvae --help": [sys.executable, "-m", "partedvae", "--help"],
        "from partedvae import PartedVAE": [sys.executable, "-c", "from partedvae import PartedVAE"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    return {name: spread(values) for name, values in seconds.items()}


def growth() -> dict[str, Any]:
    """Milliseconds of a step of the default as one size grows, and the exponent that a line through them has."""

    def step(n: int = 512, side: int = 16, n_classes: int = 10, n_attributes: int = 1, **settings: Any) -> float:
        rows = max(n, 2 * n_classes)
        y = np.random.default_rng(0).integers(n_classes, size=(rows, n_attributes))
        y[:n_classes] = np.arange(n_classes)[:, None]  # no class without a label
        clock = fitted(pictures(rows, side), y if n_attributes > 1 else y[:, 0], settings)
        return 1000 * median(clock.steps[1:])

    sizes: dict[str, tuple[Sequence[int], Callable[[int], float]]] = {
        "batch": ((32, 64, 128, 256, 512, 1024), lambda size: step(n=2 * size, batch_size=size)),
        "side": ((16, 32, 64, 128), lambda size: step(n=256, side=size)),
        "classes": ((2, 10, 100, 1000), lambda size: step(n_classes=size, u_dim=32)),
        "attributes": ((1, 4, 10, 40), lambda size: step(n_classes=2, n_attributes=size, u_dim=2)),
        "rows": ((1_000, 10_000, 100_000), lambda size: step(n=size, side=8, max_epochs=1)),
    }
    found = {}
    for name, (values, measure) in sizes.items():
        times = [measure(value) for value in values]
        exponent = float(np.polyfit(np.log(values), np.log(times), 1)[0])
        found[name] = {
            "milliseconds": {str(value): round(ms, 2) for value, ms in zip(values, times, strict=True)},
            "exponent": round(exponent, 2),
        }
    return found


def spread(values: Sequence[float]) -> Spread:
    """Least, median and most."""
    return {"least": _short(min(values)), "median": _short(median(values)), "most": _short(max(values))}


def ratios(values: Sequence[float], others: Sequence[float]) -> Spread:
    """Of the rounds, one by one."""
    return spread([value / other for value, other in zip(values, others, strict=True)])


def _short(value: float) -> float:
    return round(value, max(0, 3 - math.floor(math.log10(value)) - 1))


def page(found: Mapping[str, Any]) -> str:
    """docs/performance.md."""
    training, machine = found["training"], found["machine"]

    def row(name: str, *spreads: Mapping[str, float]) -> str:
        cells = (f"{s['median']:g} ({s['least']:g} – {s['most']:g})" if s else "" for s in spreads)
        return f"| {name} | {' | '.join(cells)} |"

    lines = [
        "# How fast it is",
        "",
        "<!-- made by benchmarks/throughput.py: change that, not this -->",
        "",
        f"`{found['command']}`, {found['rounds']} rounds, {machine['threads']} threads of {machine['processor']}, "
        f"torch {machine['torch']}, commit {str(found['commit'])[:7]}. Medians, with the least and the most of the "
        "rounds. All are run in turns in one process. *Floor*: forward, backward and a fused Adam of the bare encoder "
        "(labelled and other pictures in one pass) and decoder. *Plain loop*: our restatement of the published one.",
        "",
        f"## Training, {SIDE}×{SIDE} pictures, batches of {BATCH}, float32",
        "",
        "| | pictures a second | of the floor | of the plain loop |",
        "|---|---|---|---|",
        *(
            row(name, rate, training["over_floor"].get(name, {}), training["over_plain"].get(name, {}))
            for name, rate in training["images_per_second"].items()
        ),
        "",
        "## Inference",
        "",
        "| | of the bare encoder's pictures a second |",
        "|---|---|",
        *(row(name, ratio) for name, ratio in found["inference"].items()),
        "",
        "## Start",
        "",
        "| | seconds |",
        "|---|---|",
        *(row(name, seconds) for name, seconds in found["start"].items()),
        "",
        "## Growth",
        "",
        "Milliseconds of a step of the default (16×16 and batches of 64 where nothing else is said), and the exponent "
        "of the line through them: 1 means twice the size costs twice the time.",
        "",
        "| what grows | milliseconds | exponent |",
        "|---|---|---|",
        *(
            f"| {name} | {', '.join(f'{size}: {ms:g}' for size, ms in grown['milliseconds'].items())} "
            f"| {grown['exponent']:g} |"
            for name, grown in found["growth"].items()
        ),
        "",
        f"Peak memory of the process that measured all this: {found['peak_memory_mib']:,} MiB.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
