"""Pictures that are read as they are needed, beside the same in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import datasets
import numpy as np
from PIL import Image

from clock import Clock
from partedvae.data import load
from partedvae.data.cache import write_rows
from speed.timing import BATCH, Spread, few_labels, fitted, pictures, ratios


def streamed(rounds: int) -> dict[str, Spread]:
    """Pictures a second of 64×64 ones that are read as they are needed, over those of the same in memory."""
    side, n = 64, 2_048
    x, y = pictures(n, side), few_labels(n)
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
