"""How fast a GPU trains: the plain loop, fit as it is and fit compiled, and what the GPU does meanwhile.

    python benchmarks/gpu.py [--out benchmarks/results] [--steps 300000] [--sizes 64] [--add] [--accelerator gpu]

The published recipe for dSprites on grey pictures of 64×64, kept on the GPU where they fit. *Plain loop* is our
restatement of the published one (plain_loop.py) with its data in memory there, *floor* the bare networks; *fit* is what
a user calls, whole epochs, history on, labelled batches included. A table of steps a second by batch and precision, the
share of the time in which the GPU is busy and its kernels a step, and with ``--steps`` how long so many steps really
take at batches of 64, compiled. All is timed before anything is looked at: what looks stays with the process, and slows
what is told to the GPU after it. Writes gpu.json with the machine's name, with ``--add`` beside what it already has: a
GPU that is lent for minutes can be asked in parts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback
from rich.console import Console
from rich.table import Table
from torch.profiler import profile, supported_activities

import record
from clock import Clock, finished
from partedvae.config import Config, preset
from partedvae.factory import Schedule, make_model, make_objective
from partedvae.scaling import Scaling
from plain_loop import Step, floor_step, plain_step
from speed.timing import CLASSES, LABELLED, few_labels, fitted, pictures, short

SIDE, ROUNDS, KERNELS, EPOCHS = 64, 3, 12, 30
LOOKED_AT = 60  # batches of the epoch that is looked at near its end: in the first some things are done once
ROWS = 64_000  # of an epoch that is compiled, at least: what begins and ends one should not count
SETTINGS = preset("paper-dsprites")
CASES = [(size, precision) for size in (64, 1024) for precision in ("bf16-mixed", "tf32", "32-true")]


def main() -> None:
    """Measure, keep, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=record.RESULTS)
    parser.add_argument("--steps", type=int, default=0, help="so many steps are taken in one fit, and timed")
    parser.add_argument("--accelerator", default="gpu", help="cpu: to try the script")
    parser.add_argument("--batches", type=int, default=200, help="that are timed of what is not compiled")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 1024], help="of batches that are timed")
    parser.add_argument("--precisions", nargs="+", default=["bf16-mixed", "tf32", "32-true"], help="likewise")
    parser.add_argument("--add", action="store_true", help="to what gpu.json of the same code and GPU already has")
    arguments = parser.parse_args()
    if arguments.accelerator == "gpu" and not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use; --accelerator cpu tries the script.")
    if 0 < arguments.steps < EPOCHS:
        parser.error(f"--steps are divided into {EPOCHS} epochs: give as many or more.")
    found = begun(arguments.out / "gpu.json", device_name(arguments.accelerator), add=arguments.add)
    commands = [*found.pop("commands", []), record.given()]

    def keep() -> None:  # what comes next may not be reached
        record.write("gpu", found, command="; ".join(commands), folder=arguments.out)

    if arguments.steps:  # first, while nothing is compiled yet
        found["whole"] = whole(arguments.steps, arguments.accelerator)
        print(found["whole"], flush=True)
        keep()
    new = []
    for batch, precision in CASES:
        if batch in arguments.sizes and precision in arguments.precisions:
            new.append(case(batch, precision, arguments.batches, arguments.accelerator))
            print(new[-1]["steps_per_second"], flush=True)
            found["cases"].append(new[-1])
            keep()
    for timed in new:
        timed["profiles"] = profiles(timed["batch"], timed["precision"], arguments.accelerator)
        keep()
    show(found)


def begun(path: Path, device: str, *, add: bool) -> dict[str, Any]:
    """What there is to add to, of the same code and GPU, and the commands that made it."""
    if not add or not path.exists():
        return {"device": device, "cases": []}
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    now = {"device": device, "commit": record.code()}
    for name, value in now.items():
        if known[name] != value:
            raise SystemExit(f"{path} is of the {name} {known[name]}, not {value}: leave out --add to replace it.")
    return {
        **{name: known[name] for name in ("device", "cases", "whole") if name in known},
        "commands": known["command"].split("; "),
    }


def device_name(accelerator: str) -> str:
    """The GPU's, if that is what is used."""
    return torch.cuda.get_device_name() if accelerator == "gpu" else accelerator


def case(batch: int, precision: str, n_batches: int, accelerator: str) -> dict[str, Any]:
    """Steps a second of one batch size and precision, medians of rounds."""
    multiply(precision)
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    rates = {
        name: median(rate(step, batch, n_batches, device) for _ in range(ROUNDS))
        for name, step in loops(precision, device).items()
    }
    first = {}
    for name, options in fits(precision, accelerator).items():
        batches = max(n_batches, ROWS // batch) if options["compile"] else n_batches
        clock = train(batch, batches, ROUNDS + 1, options)
        first[name] = short(clock.epochs[0])  # in which it is compiled, unless torch has kept that from before
        rates[name] = batches / median(clock.epochs[1:])
    return {
        "batch": batch,
        "precision": precision,
        "steps_per_second": {name: short(value) for name, value in rates.items()},
        "first_epoch_seconds": first,
    }


def profiles(batch: int, precision: str, accelerator: str) -> dict[str, Any]:
    """What the device does in steps of one batch size and precision."""
    multiply(precision)
    found = {}
    for name, options in fits(precision, accelerator).items():
        look = Look(LOOKED_AT)
        train(batch, LOOKED_AT, 1, {**options, "callbacks": [look]})
        found[name] = look.found
    return found


def multiply(precision: str) -> None:
    """Let torch multiply 32-bit numbers as a precision says."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def fits(precision: str, accelerator: str) -> dict[str, dict[str, Any]]:
    """Options of a trainer, as it is and compiled."""
    options = {"accelerator": accelerator, "precision": "32-true" if precision == "tf32" else precision}
    return {"fit": {**options, "compile": False}, "fit, compiled": {**options, "compile": True}}


def loops(precision: str, device: torch.device) -> dict[str, Step]:
    """The floor and the plain loop."""
    config = Config.checked(SETTINGS)
    scaling = Scaling.fit(torch.zeros(2, 1, SIDE, SIDE), standardise=False)

    def on(make: Callable[..., Step], *more: Any) -> Step:
        model = make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES]).to(device)
        step = make(model, *more, 1e-3)

        def mixed(*batch: torch.Tensor) -> None:
            short_numbers = precision == "bf16-mixed"
            with torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if short_numbers else nullcontext():
                step(*batch)

        return mixed

    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    return {"floor": on(floor_step), "plain loop": on(plain_step, objective)}


def rate(step: Step, batch: int, n_batches: int, device: torch.device) -> float:
    """Steps a second, after some that do not count; the batch stays on the device."""
    x = torch.rand(batch, 1, SIDE, SIDE, device=device)
    labels = torch.arange(min(batch, LABELLED), device=device) % CLASSES
    for counted in (False, True):
        started = time.perf_counter()
        for _ in range(n_batches if counted else 10):
            step(x, x[: len(labels)], labels)
        finished()
    return n_batches / (time.perf_counter() - started)


def train(batch: int, n_batches: int, epochs: int, options: dict[str, Any]) -> Clock:
    """A fit of noise, and its clock."""
    rows = batch * n_batches
    settings = {**SETTINGS, "batch_size": batch, "max_epochs": epochs, "trainer_options": options}
    return fitted(pictures(rows, SIDE), few_labels(rows), settings)


def whole(steps: int, accelerator: str) -> dict[str, Any]:
    """Seconds that so many steps of 64 take in one compiled fit, and by epoch; the compiler works in the first."""
    precision = "bf16-mixed"
    options = {"accelerator": accelerator, "precision": precision, "compile": True}
    each = steps // EPOCHS
    epochs = train(64, each, EPOCHS, options).epochs
    return {
        "steps": each * EPOCHS,
        "precision": precision,
        "seconds": short(sum(epochs)),
        "epochs": [short(seconds) for seconds in epochs],
    }


class Look(Callback):
    """What the device does in some steps near the end of the first epoch."""

    def __init__(self, n_batches: int, steps: int = 20) -> None:
        self.steps = min(steps, n_batches - 1)
        self.first = n_batches - self.steps
        self.found: dict[str, Any] = {}
        self._looking: profile | None = None

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin to look."""
        if trainer.current_epoch == 0 and batch_idx == self.first:
            finished()
            self._looking = profile(activities=supported_activities())
            self._looking.start()
            self._started = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add up what was seen."""
        if self._looking is None or batch_idx < self.first + self.steps - 1:
            return
        finished()
        wall = time.perf_counter() - self._started
        self._looking.stop()
        # Calls, and parts that a program names, have the time of the kernels that they begin, which are listed too.
        events = [
            event
            for event in self._looking.key_averages()
            if event.device_type.name != "CPU" and not event.is_user_annotation and event.self_device_time_total > 0
        ]
        events.sort(key=lambda event: -event.self_device_time_total)
        busy = sum(event.self_device_time_total for event in events) / 1e6
        self.found = {
            "busy": short(busy / wall) if busy else 0.0,
            "kernels_per_step": sum(event.count for event in events) / self.steps,
            "most": [
                {"kernel": event.key[:120], "microseconds_per_step": short(event.self_device_time_total / self.steps)}
                for event in events[:KERNELS]
            ],
        }
        self._looking = None


def show(found: dict[str, Any]) -> None:
    """A table for who waits."""
    names = ["floor", "plain loop", "fit", "fit, compiled"]
    table = Table("batch", "precision", *names, "compiled / plain", "kernels a step", title=found["device"])
    for one in found["cases"]:
        rates = one["steps_per_second"]
        kernels = " → ".join(str(seen.get("kernels_per_step")) for seen in one.get("profiles", {}).values())
        gain = f"{rates['fit, compiled'] / rates['plain loop']:.3g}"
        table.add_row(str(one["batch"]), one["precision"], *(f"{rates[name]:g}" for name in names), gain, kernels)
    Console(width=140).print(table)
    if "whole" in found:
        print(f"{found['whole']['steps']} steps: {found['whole']['seconds']} seconds")


if __name__ == "__main__":
    main()
