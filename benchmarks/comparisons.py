"""What cells say of two methods: measures, differences with their intervals, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from grid import METHODS
from record import CELLS


@dataclass(frozen=True)
class Measure:
    """How a measure is called on the page, and which way is better: 1 more, −1 less, 0 neither."""

    title: str
    better: int = 1
    digits: int = 3


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy"),
    "nll": Measure("NLL, nats", -1, 2),
    "ece": Measure("ECE", -1),
    "class_from_u": Measure("class read from u"),
    "class_from_z": Measure("class read from z", -1),
    "class_gap": Measure("u less z"),
    "swap_accuracy": Measure("class kept in swaps"),
    "swap_normalised": Measure("the same, of reconstructions recognised"),
    "swap_style_class": Measure("class of z's picture in swaps", -1),
    "generation_accuracy": Measure("samples recognised"),
    "generation_diversity": Measure("diversity of samples", 0, 2),
    "reconstruction_diversity": Measure("diversity of reconstructions", 0, 2),
    "mse": Measure("MSE", -1, 4),
    "z_kl": Measure("KL(z), nats", 0, 1),
    "z_active": Measure("active columns of z", 0, 1),
    "factor_vae": Measure("FactorVAE"),
    "beta_vae": Measure("BetaVAE"),
    "mig": Measure("MIG"),
    "sap": Measure("SAP"),
    "modularity": Measure("modularity"),
    "dci_disentanglement": Measure("DCI, disentanglement"),
    "dci_completeness": Measure("DCI, completeness"),
    "style_preserved": Measure("style kept in swaps"),
    "novelty_auroc": Measure("AUROC, novel from known"),
}

Run = Mapping[int, Mapping[str, float]]
"""Seed, measure."""

Runs = Mapping[str, Mapping[str, Run]]
"""Task, method."""


@dataclass(frozen=True)
class Difference:
    """A method less another, seed by seed: the mean, and its 95 % interval by Student's t."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, one: Run, other: Run, key: str) -> Difference | None:
        """``None`` with fewer than two seeds in common."""
        both = sorted(seed for seed in one if seed in other and key in one[seed] and key in other[seed])
        if len(both) < 2:
            return None
        gaps = [one[seed][key] - other[seed][key] for seed in both]
        reach = float(student.ppf(0.975, len(gaps) - 1)) * stdev(gaps) / len(gaps) ** 0.5
        return cls(mean(gaps), mean(gaps) - reach, mean(gaps) + reach, len(gaps))

    def verdict(self, measure: Measure) -> str:
        """In a word, whether the first is better; what is written as nothing at both ends is the same."""
        if round(self.low, measure.digits) == round(self.high, measure.digits) == 0:
            return "same"
        if self.low > 0:
            return "better" if measure.better > 0 else "worse"
        if self.high < 0:
            return "worse" if measure.better > 0 else "better"
        return "not shown"


def read(folder: Path = CELLS) -> list[dict[str, Any]]:
    """All cells."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/*.json"))]


def by_task(cells: Sequence[Mapping[str, Any]]) -> Runs:
    """The measures of cells, in the order of ``METHODS``."""
    found: dict[str, dict[str, dict[int, Mapping[str, float]]]] = {}
    for cell in sorted(cells, key=lambda cell: (list(METHODS).index(cell["method"]), cell["seed"])):
        found.setdefault(cell["task"], {}).setdefault(cell["method"], {})[cell["seed"]] = cell["measures"]
    return found


def values_of(run: Run, key: str) -> list[float]:
    """A measure of the seeds that have it."""
    return [measures[key] for measures in run.values() if key in measures]


def spread(run: Run, key: str) -> str:
    """Mean and standard deviation over seeds, as they are written; nothing if no seed has the measure."""
    values = values_of(run, key)
    return mean_and_sd(values, MEASURES[key].digits) if values else ""


def mean_and_sd(values: Sequence[float], digits: int) -> str:
    """As they are written; of one value there is no deviation."""
    sd = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{sd}"


def interval(difference: Difference, digits: int) -> str:
    """A difference and its interval, as they are written."""
    value, low, high = (_signed(number, digits) for number in (difference.value, difference.low, difference.high))
    return f"{value} [{low}, {high}]"


def _signed(value: float, digits: int) -> str:
    """With its sign, and with the minus that print knows; no sign for what rounds to nothing."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")
