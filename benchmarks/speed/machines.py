"""What earlier runs on other processors found: ratios that hold on one machine need not hold on the next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path

from partedvae.persistence import write_whole
from speed.timing import told

NAME = "throughput"
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "fit, published recipe, of the floor": ("training", "over_floor", "fit, published recipe"),
    "fast, of the plain loop": ("training", "over_plain_loop", "fit, published recipe, fast"),
    "fast, compiled, of the plain loop": ("training", "over_plain_loop", "fit, published recipe, fast, compiled"),
    "encode, of the bare encoder": ("inference", "encode"),
    "Parquet, of memory": ("streamed", "Parquet"),
}


def keep(results: Path, processor: str) -> None:
    """Put the last run aside under its processor's name, if that is another one."""
    last = results / f"{NAME}.json"
    if last.exists() and (of_last := _processor(last)) != processor:
        text = last.read_text(encoding="utf-8")
        aside = results / f"{NAME}_{re.sub('[^a-z0-9]+', '-', of_last.lower()).strip('-')}.json"
        write_whole(aside, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def table(results: Path) -> list[str]:
    """Lines of Markdown, one a processor: that of the last run, and those whose runs were put aside."""
    runs = {_processor(path): path for path in sorted(results.glob(f"{NAME}*.json"), reverse=True)}
    if len(runs) == 1:
        return []
    lines = ["## Machine by machine", "", "Medians, with the least and the most of the rounds.", ""]
    lines += [f"| processor | commit | {' | '.join(_SHOWN)} |", "|---" * (len(_SHOWN) + 2) + "|"]
    for processor, path in sorted(runs.items()):
        found = json.loads(path.read_text(encoding="utf-8"))
        spreads = [reduce(getitem, keys, found) for keys in _SHOWN.values()]
        cells = map(told, spreads)
        lines.append(f"| {processor} | {found['commit'][:7]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _processor(path: Path) -> str:
    name: str = json.loads(path.read_text(encoding="utf-8"))["machine"]["processor"]
    return name
