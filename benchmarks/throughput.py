"""How near training is to the least that its networks cost, and how its cost grows; writes docs/performance.md.

    python benchmarks/throughput.py [--rounds 5] [--threads 2]

Everything that is compared is run in turns in one process, so that a noisy machine hurts all alike, and is told as
ratios. *Floor* is forward, backward and a fused Adam of the bare networks on tensors in memory, in the layout that
torch gives them, and once more with the channels last; *plain loop* our restatement of the published one
(plain_loop.py); *fit* what a user calls, whole epochs, history on, labelled batches included; *fast* is
fast_setting.py's.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import datasets
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from PIL import Image

import fast_setting
import record
import time_to_accuracy
from clock import Clock
from fast_setting import fast
from partedvae import PartedVAE
from partedvae.batches import training_loader
from partedvae.config import Config, preset
from partedvae.data import Dataset, load
from partedvae.data.cache import write_rows
from partedvae.factory import Schedule, make_model, make_objective
from partedvae.inference import infer
from partedvae.model import Posterior
from partedvae.networks import lay_out
from partedvae.partition import Partition
from partedvae.persistence import write_whole
from partedvae.precision import fastest
from partedvae.prior import MixturePrior
from partedvae.scaling import Scaling
from plain_loop import floor_step, plain_step

Array = NDArray[Any]
Spread = dict[str, float]

ROWS, SIDE, BATCH, LABELLED, CLASSES = 4_096, 32, 64, 256, 10
MANY, MANY_DIM = 1_000, 32
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
_BASES = ("over_floor", "over_floor_channels_last", "over_plain_loop")
_INFERRED_AT_ONCE = 256  # as inference.py has it for pictures of this size
_SHORT = {"max_epochs": 1, "limit_train_batches": 30}  # of many rows, a few steps show what each costs
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
        "parts": parts(arguments.rounds),
        "many_classes": many_classes(arguments.rounds),
        "compiled": compiled(arguments.rounds),
        "streamed": streamed(arguments.rounds),
        "inference": inference(arguments.rounds),
        "start": start(arguments.rounds),
        "growth": growth(),
        "peak_memory_mib": peak_memory(),
    }
    path = record.write("throughput", found)
    text = page(json.loads(path.read_text(encoding="utf-8")))
    write_whole(PAGE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(text)


def pictures(n: int, side: int, channels: int = 1) -> Array:
    """Noise: what it costs does not depend on what it shows."""
    shape = (n, side, side) if channels == 1 else (n, side, side, channels)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def fitted(x: Array | Dataset, y: Array | None, settings: Mapping[str, Any]) -> Clock:
    """A fit of two epochs, and how long they took."""
    clock = Clock()
    given = settings.get("trainer_options", {})
    options = {"accelerator": "cpu", **given, "callbacks": [clock, *given.get("callbacks", [])]}
    PartedVAE(**{"max_epochs": 2, "random_state": 0, "fit_prior": False, **settings, "trainer_options": options}).fit(
        x, y
    )
    return clock


def training(rounds: int) -> dict[str, Any]:
    """Pictures a second of the floor, the plain loop, and fit by both recipes; the last ratios are to the floor."""
    x, y = pictures(ROWS, SIDE), np.where(np.arange(ROWS) < LABELLED, np.arange(ROWS) % CLASSES, -1)
    config = Config.checked({**preset("paper")})
    scaling = Scaling.fit(torch.from_numpy(x)[:, None], standardise=False)
    raw = torch.from_numpy(x)[:, None].float() / 255
    labels = torch.from_numpy(y[:LABELLED])

    def model(layout: torch.memory_format) -> Any:
        made = make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])
        lay_out(made, layout)
        return made

    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    as_given, channels_last = torch.contiguous_format, torch.channels_last
    loops = {
        "floor": floor_step(model(as_given), 1e-3),
        "floor, channels last": floor_step(model(channels_last), 1e-3),
        "plain loop": plain_step(model(as_given), objective, 1e-3),
    }

    def rate_of(step: Callable[..., None]) -> float:
        order = torch.randperm(len(raw))
        started = time.perf_counter()
        for number, rows in enumerate(order.split(BATCH)):
            first = number * BATCH % LABELLED
            step(raw[rows], raw[first : first + BATCH], labels[first : first + BATCH])
        return len(raw) / (time.perf_counter() - started)

    recipes: dict[str, Mapping[str, Any]] = {
        "fit, published recipe": preset("paper"),
        "fit, published recipe, fast": {**preset("paper"), **fast(preset("paper"))},
        "fit, default": {},
        "fit, default, fast": fast({}),
    }
    rates: dict[str, list[float]] = {name: [] for name in (*loops, *recipes)}
    for step in loops.values():
        rate_of(step)  # the first time is slower; of a fit, the second epoch counts
    for _ in range(rounds):
        for name, step in loops.items():
            rates[name].append(rate_of(step))
        for name, settings in recipes.items():
            rates[name].append(ROWS / fitted(x, y, {"batch_size": BATCH, **settings}).epochs[-1])
    floors = [name for name in loops if name.startswith("floor")]
    return {
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        **{
            f"over_{base.replace(', ', '_').replace(' ', '_')}": {
                name: ratios(values, rates[base]) for name, values in rates.items() if name not in floors
            }
            for base in (*floors, "plain loop")
        },
    }


def parts(rounds: int) -> dict[str, Spread]:
    """Shares of a published step that its data and its objective have, each alone."""
    x, y = pictures(ROWS, SIDE), np.where(np.arange(ROWS) < LABELLED, np.arange(ROWS) % CLASSES, -1)
    config = Config.checked({**preset("paper")})
    raw = torch.from_numpy(x)[:, None]
    scaling = Scaling.fit(raw, standardise=False)
    model = make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])
    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    seen = scaling(raw[:BATCH])
    with torch.no_grad():
        posterior = model.infer(seen, generator=torch.Generator().manual_seed(0))
        output = model.decoder(posterior.mean)

    def objective_alone() -> None:
        leaves = [part.detach().requires_grad_() for part in vars(posterior).values()]
        decoded = output.detach().requires_grad_()
        terms = objective(Posterior(*leaves), model.prior, model.likelihood.log_prob(decoded, seen), 1)
        terms.total.backward()

    found: dict[str, list[float]] = {"data": [], "objective": []}
    for number in range(rounds):
        loader = iter(training_loader(raw, torch.from_numpy(y)[:, None], BATCH, number))
        next(loader)  # the order of the epoch is drawn with the first
        step = median(fitted(x, y, preset("paper")).steps)
        found["data"].append(_seconds(loader.__next__, 10) / step)
        found["objective"].append(_seconds(objective_alone, 50) / step)
    return {name: spread(values) for name, values in found.items()}


def many_classes(rounds: int) -> Spread:
    """What the objective of many classes and their pairs takes, with its gradient, of a step at 64×64."""
    config = Config(u_dim=MANY_DIM)
    prior = MixturePrior(Partition((MANY,), MANY_DIM, config.z_dim), torch.ones(MANY))
    objective, noise = make_objective(config, (1, 64, 64), Schedule.of(config, 1000)), torch.Generator().manual_seed(0)
    sizes = (MANY, MANY_DIM, MANY_DIM, config.z_dim, config.z_dim)
    said = [torch.randn(BATCH, size, generator=noise) for size in sizes]

    def objective_alone() -> None:
        logits, *codes = (part.detach().requires_grad_() for part in said)
        objective(Posterior(logits.log_softmax(dim=1), *codes), prior, torch.zeros(BATCH), 1).total.backward()

    x, y = pictures(8 * BATCH, 64), np.arange(8 * BATCH) % CLASSES
    objective_alone()
    return spread([_seconds(objective_alone, 20) / median(fitted(x, y, {}).steps) for _ in range(rounds)])


class _Compiled(Callback):
    """The networks through torch.compile."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        model: Any = pl_module.model
        model.encoder.compile()
        model.decoder.compile()


def compiled(rounds: int) -> dict[str, Any]:
    """A published step with compiled networks over one without, and what the first epoch takes longer, in seconds."""
    x, y = pictures(ROWS, SIDE), np.where(np.arange(ROWS) < LABELLED, np.arange(ROWS) % CLASSES, -1)
    n_batches = -(-ROWS // BATCH)
    steps: dict[bool, list[float]] = {False: [], True: []}
    first = dict.fromkeys(steps, 0.0)
    for number in range(rounds):
        for through in steps:
            options = {"callbacks": [_Compiled()] if through else []}
            clock = fitted(x, y, {**preset("paper"), "batch_size": BATCH, "trainer_options": options})
            steps[through].append(median(clock.steps[n_batches:]))
            if number == 0:
                first[through] = clock.epochs[0]
    return {"step": ratios(steps[True], steps[False]), "first_epoch_seconds_more": _short(first[True] - first[False])}


def _seconds(task: Callable[[], Any], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        task()
    return (time.perf_counter() - started) / times


def streamed(rounds: int) -> dict[str, Spread]:
    """Pictures a second of 64×64 ones that are read as they are needed, over those of the same in memory."""
    side, n = 64, 2_048
    x, y = pictures(n, side), np.where(np.arange(n) < LABELLED, np.arange(n) % CLASSES, -1)
    rates: dict[str, list[float]] = {"in memory": [], "mapped .npy": [], "Parquet": []}
    with tempfile.TemporaryDirectory() as place:
        mapped, table = Path(place) / "rows.npy", Path(place) / "rows.parquet"
        write_rows(mapped, x.shape, np.uint8, iter([x]))
        kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
        columns = {"image": [Image.fromarray(picture) for picture in x], "label": y}
        datasets.Dataset.from_dict(columns, features=kinds).to_parquet(table)
        sources: dict[str, Callable[[], Clock]] = {
            "in memory": lambda: fitted(x, y, {}),
            "mapped .npy": lambda: fitted(np.load(mapped, mmap_mode="r"), y, {}),
            "Parquet": lambda: fitted(load(str(table), streaming=True), None, {}),
        }
        for _ in range(rounds):
            for name, source in sources.items():
                # Not whole epochs: what comes before and after one of a stream does not grow with its length.
                rates[name].append(BATCH / median(source().steps))
    return {name: ratios(rates[name], rates["in memory"]) for name in rates if name != "in memory"}


def inference(rounds: int) -> dict[str, Any]:
    """What encode and predict_proba do of the bare encoder's pictures a second."""
    x, y = pictures(ROWS, SIDE), np.arange(ROWS) % CLASSES
    model = PartedVAE(max_epochs=1, random_state=0, trainer_options={"accelerator": "cpu"}).fit(x[:256], y[:256])
    raw = torch.from_numpy(x)[:, None]

    def bare() -> None:
        with torch.inference_mode():
            for part in raw.split(_INFERRED_AT_ONCE):
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


def growth() -> dict[str, Any]:
    """Milliseconds of a step of the default as one size grows, and the exponent that a line through them has."""

    def step(n: int = 512, side: int = 16, n_classes: int = 10, n_attributes: int = 1, **settings: Any) -> float:
        rows = max(n, 2 * n_classes)
        y = np.full((rows, n_attributes), -1)
        y[: 2 * n_classes] = np.arange(2 * n_classes)[:, None] % n_classes  # no class without a label
        clock = fitted(pictures(rows, side), y if n_attributes > 1 else y[:, 0], settings)
        return 1000 * median(clock.steps[1:])

    sizes: dict[str, tuple[Sequence[int], Callable[[int], float]]] = {
        "batch": ((32, 64, 128, 256, 512, 1024), lambda size: step(n=2 * size, batch_size=size)),
        "side": ((16, 32, 64, 128), lambda size: step(n=256, side=size)),
        "classes, d_u = 32": ((2, 10, 100, 1000), lambda size: step(n_classes=size, u_dim=32)),
        "classes, d_u = 32, 64×64": ((10, 1000), lambda size: step(side=64, n_classes=size, u_dim=32)),
        "attributes of two classes, d_u = 2": (
            (1, 4, 10, 40),
            lambda size: step(n_classes=2, n_attributes=size, u_dim=2),
        ),
        "rows, 8×8": ((1_000, 100_000, 10_000_000), lambda size: step(n=size, side=8, trainer_options=_SHORT)),
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


def _quality() -> str:
    """What fast_setting.py and time_to_accuracy.py have found, if they were run."""
    parts = []
    for module in (fast_setting, time_to_accuracy):
        path = record.RESULTS / f"{module.__name__}.json"
        if path.exists():
            parts.append(module.summary(json.loads(path.read_text(encoding="utf-8"))))
    return " ".join(parts)


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
        f"torch {machine['torch']}, commit {str(found['commit'])[:7] + str(found['commit'])[40:]}. "
        "Medians, with the least and the most of the "
        "rounds. All are run in turns in one process. *Floor*: forward, backward and a fused Adam of the bare encoder "
        "(labelled and other pictures in one pass) and decoder. *Plain loop*: our restatement of the published one.",
        "",
        f"## Training, {SIDE}×{SIDE} pictures, batches of {BATCH}, float32",
        "",
        "| | pictures a second | of the floor | of the floor, channels last | of the plain loop |",
        "|---|---|---|---|---|",
        *(
            row(name, rate, *(training[base].get(name, {}) for base in _BASES))
            for name, rate in training["images_per_second"].items()
        ),
        "",
        "Ours lay out the channels last from 16×16 pixels on; the plain loop, as the published code, does not. *Fast* "
        f"is for who asks: `--precision auto` ({fastest((1, SIDE, SIDE), 'cpu')} here), `batch_size=128` and both "
        "learning rates times √2. " + _quality(),
        "",
        "Of a published step the data alone take a share of {data[median]:g} ({data[least]:g} – {data[most]:g}), "
        "the objective and its gradient {objective[median]:g} ({objective[least]:g} – {objective[most]:g}).".format(
            **found["parts"]
        ),
        f"The objective over {MANY:,} classes and their pairs, d_u = {MANY_DIM}, takes with its gradient "
        "{median:g} ({least:g} – {most:g}) of a step of the default at 64×64.".format(**found["many_classes"]),
        "With both networks through torch.compile a published step takes {median:g} ({least:g} – {most:g}) of what it "
        "takes without, and the first epoch {more:g} seconds more, or longer where torch has kept nothing.".format(
            **found["compiled"]["step"], more=found["compiled"]["first_epoch_seconds_more"]
        ),
        "",
        "## Data that are not in memory",
        "",
        "Of the default at 64×64, by the median step. What comes before and after an epoch is not in it: of Parquet "
        "the first ten thousand pictures are read, among which the next one is drawn, and at the end the library that "
        "reads it waits for five seconds, whatever its length.",
        "",
        "| read as needed | of the pictures a second from memory |",
        "|---|---|",
        *(row(name, ratio) for name, ratio in found["streamed"].items()),
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
        f"A process that fits {ROWS:,} pictures holds {found['peak_memory_mib']['fit']:,} MiB at most, "
        f"{found['peak_memory_mib']['imports']:,} of them what it imports.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
