"""How fast a stream is decoded, by the process that reads it and by others, and how busy the first then is.

    python benchmarks/decoding.py [--rounds 5] [--pictures 4096]

Noise of 64×64 in PNG, and smooth pictures of 300×400 in colour and JPEG, brought to 64×64; in turns, an epoch each,
without a model.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from joblib import cpu_count
from PIL import Image

import record
from partedvae.data import ahead, decoding, load
from partedvae.data.reading import Size
from speed.timing import BATCH, Spread, ratios, spread, told

_MANY = decoding.WORTH_PROCESSES
_SIDE = 64
_LARGE = (300, 400)


def main() -> None:
    """Measure, keep, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=4_096)
    arguments = parser.parse_args()
    datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0
    datasets.disable_progress_bars()
    found = {name: _rates(made, size, arguments.pictures, arguments.rounds) for name, (made, size) in _KINDS.items()}
    path = record.write("decoding", {"rounds": arguments.rounds, "pictures": arguments.pictures, "kinds": found})
    print(*lines(json.loads(path.read_text(encoding="utf-8"))), sep="\n")


def lines(found: Mapping[str, Any]) -> list[str]:
    """A paragraph and a table for docs/performance.md."""
    return [
        f"Of {_MANY:,} pictures of a stream or more, other processes decode all, ahead of the step: one, or as many as "
        "there are cores that training leaves. The process that trains is then free of it. Without a model, decoded by "
        f"as many as there are cores (`{found['command']}`, {found['machine']['threads']} cores of "
        f"{found['machine']['processor']}):",
        "",
        "| pictures | a second, by the process that reads | by others, times as many | of that time it is busy |",
        "|---|---|---|---|",
        *(
            f"| {name} | {told(kind['here'])} | {told(kind['ratio'])} | {told(kind['busy'])} |"
            for name, kind in found["kinds"].items()
        ),
        "",
    ]


def _rates(made: Callable[[int], Image.Image], size: Size | None, n: int, rounds: int) -> dict[str, Spread]:
    seconds: dict[str, list[float]] = {"here": [], "others": []}
    busy: dict[str, list[float]] = {"here": [], "others": []}
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    worth = {"here": n + 1, "others": 1}
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "rows.parquet"
        columns = {"image": [made(i) for i in range(n)], "label": np.arange(n) % 10}
        datasets.Dataset.from_dict(columns, features=kinds).to_parquet(table)
        rows: Any = load(str(table), streaming=True, size=size).x
        for _ in range(rounds):
            for name, many in worth.items():
                decoding.WORTH_PROCESSES, ahead.idle_cores = many, cpu_count
                parts = rows.epoch(0, 0, BATCH)
                next(parts)  # before it, what is shuffled is gathered
                wall, own = time.perf_counter(), time.process_time()
                for _part in parts:
                    pass
                seconds[name].append((time.perf_counter() - wall) / (n - BATCH))
                busy[name].append((time.process_time() - own) / (n - BATCH))
    return {
        "here": spread([1 / each for each in seconds["here"]]),
        "ratio": ratios(seconds["here"], seconds["others"]),
        "busy": ratios(busy["others"], seconds["others"]),
    }


def _noise(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8))


def _smooth(number: int) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize(_LARGE[::-1], Image.Resampling.BICUBIC)
    file = io.BytesIO()
    large.save(file, "JPEG", quality=90)
    return Image.open(io.BytesIO(file.getvalue()))  # of which the library keeps the file as it is


_KINDS: Mapping[str, tuple[Callable[[int], Image.Image], Size | None]] = {
    "PNG of 64×64": (_noise, None),
    "JPEG of 300×400": (_smooth, (_SIDE, _SIDE)),
}

if __name__ == "__main__":
    main()
