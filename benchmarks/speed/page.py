"""docs/performance.md, from what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import decoding
import fast_setting
import record
import time_to_accuracy
from partedvae.precision import fastest
from speed.machines import table
from speed.timing import BATCH, ROWS, SIDE, told
from speed.training import MANY, MANY_DIM

_BASES = ("over_floor", "over_floor_our_layers", "over_plain_loop")


def page(found: Mapping[str, Any]) -> str:
    """docs/performance.md."""
    training, machine = found["training"], found["machine"]

    def row(name: str, *spreads: Mapping[str, float]) -> str:
        cells = (told(spread) if spread else "" for spread in spreads)
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
        "| | pictures a second | of the floor | of the floor, our layers | of the plain loop |",
        "|---|---|---|---|---|",
        *(
            row(name, rate, *(training[base].get(name, {}) for base in _BASES))
            for name, rate in training["images_per_second"].items()
        ),
        "",
        "*Floor* and the plain loop have torch's layers as torch gives them, *floor, our layers* those of "
        "`networks.py`: the same functions, with the channels last from 16×16 pixels on, and transposed convolutions "
        "that are computed in another way (`doubling.py`). A fit also keeps the memory that a step frees for the next "
        "one (`memory.py`); neither floor does. *Fast* is "
        f"for who asks: `--precision auto` ({fastest((1, SIDE, SIDE), 'cpu')} here), `batch_size=128`, `lr` "
        "twice and `lr_labelled` four times as high, chosen on held-out training rows for the published recipe. "
        "*Compiled* is with `--compile`, after the first epoch, in which torch does it. " + _quality(),
        "",
        "Of a published step the data alone take a share of {data[median]:g} ({data[least]:g} – {data[most]:g}), "
        "the objective and its gradient {objective[median]:g} ({objective[least]:g} – {objective[most]:g}).".format(
            **found["parts"]
        ),
        f"The objective over {MANY:,} classes and their pairs, d_u = {MANY_DIM}, takes with its gradient "
        "{median:g} ({least:g} – {most:g}) of a step of the default at 64×64.".format(**found["many_classes"]),
        "With `--compile` a published step takes {median:g} ({least:g} – {most:g}) of what it "
        "takes without, and the first epoch {more:g} seconds more, or longer where torch has kept nothing.".format(
            **found["compiled"]["step"], more=found["compiled"]["first_epoch_seconds_more"]
        ),
        "",
        *table(record.RESULTS),
        "## Data that are not in memory",
        "",
        "Of the default at 64×64, by the median step. What comes before and after an epoch is not in it: of Parquet "
        "the first ten thousand pictures are read, among which the next one is drawn, and at the end of several files "
        "the library that reads them waits for five seconds, whatever their length.",
        "",
        "| read as needed | of the pictures a second from memory |",
        "|---|---|",
        *(row(name, ratio) for name, ratio in found["streamed"].items()),
        "",
        *_decoded(),
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


def _decoded() -> list[str]:
    """What decoding.py has found, if it was run."""
    path = record.RESULTS / "decoding.json"
    return decoding.lines(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def _quality() -> str:
    """What fast_setting.py and time_to_accuracy.py have found, if they were run."""
    parts = []
    for module in (fast_setting, time_to_accuracy):
        path = record.RESULTS / f"{module.__name__}.json"
        if path.exists():
            parts.append(module.summary(json.loads(path.read_text(encoding="utf-8"))))
    return " ".join(parts)
