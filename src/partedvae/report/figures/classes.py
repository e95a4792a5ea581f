"""What is known and said of classes: confusion, reliability, attention, and what codes tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binomtest

from partedvae.metrics.calibration import Reliability
from partedvae.metrics.leakage import Leakage
from partedvae.report.figures.style import ACCENT, INK, MUTED, SECOND, literal, plain

Array = NDArray[Any]

_CODES = {"c": "c, class probabilities", "u": "u, class-related", "z": "z, class-independent"}
_COUNTED = 20  # classes up to which the cells of a confusion matrix hold numbers


def confusion(counts: Array, names: Sequence[str]) -> Figure:
    """How often each class (row) was taken for each class (column)."""
    side = min(8.0, 1.6 + 0.38 * len(names))
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= _COUNTED:
        for row, column in np.ndindex(*counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.5 else INK
                axis.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
    else:
        figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.7)
    size = min(8.0, 400 / len(names))
    axis.set_xticks(range(len(names)), literal(names), rotation=45, ha="right", fontsize=size)
    axis.set_yticks(range(len(names)), literal(names), fontsize=size)
    axis.set_xlabel("predicted class", fontsize=9)
    axis.set_ylabel("true class", fontsize=9)
    return figure


def reliability(bins: Reliability) -> Figure:
    """How many predictions were right by how sure they were, with how many there were below."""
    figure = Figure(figsize=(4.2, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    filled = np.flatnonzero(bins.counts)
    right = np.round(bins.accuracy[filled] * bins.counts[filled]).astype(int)
    ends = [
        binomtest(int(k), int(n)).proportion_ci(method="wilson")
        for k, n in zip(right, bins.counts[filled], strict=True)
    ]
    accuracy = bins.accuracy[filled]
    reach = np.abs(np.array([[end.low, end.high] for end in ends]).T - accuracy)
    above.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1, label="stated = true")
    above.errorbar(
        bins.confidence[filled], accuracy, yerr=reach, fmt="o", color=ACCENT, markersize=4, elinewidth=1,
        label="a bin, with 95% interval",
    )  # fmt: skip
    above.set_ylabel("share that was right", fontsize=9)
    above.set_ylim(-0.03, 1.03)
    above.legend(frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    bars = below.bar(edges[:-1], bins.counts, width=np.diff(edges), align="edge", color=ACCENT, edgecolor="white")
    below.bar_label(bars, [str(n) if n else "" for n in bins.counts], fontsize=6, padding=1)
    below.margins(y=0.15)  # for the number on the highest
    below.set_xlabel("stated confidence", fontsize=9)
    below.set_ylabel("predictions", fontsize=9)
    below.set_xlim(0, 1.02)
    for axis in (above, below):
        plain(axis)
    return figure


def masks(values: Array, names: Sequence[str]) -> Figure:
    """Attention masks (K, H): how far each class (row) opens each hidden feature (column)."""
    figure = Figure(figsize=(10, min(9.0, 1.2 + 0.24 * len(names))), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axis.set_yticks(range(len(names)), literal(names), fontsize=min(8.0, 400 / len(names)))
    axis.set_xlabel("hidden features, sorted: open to all classes on the left, to none on the right", fontsize=9)
    axis.set_ylabel("class", fontsize=9)
    axis.tick_params(axis="x", labelsize=7)
    bar = figure.colorbar(image, ax=axis, pad=0.01)
    bar.set_label("mask: 0 shut, 1 open", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def leakages(found: Mapping[str, Mapping[str, Leakage]]) -> Figure:
    """How well the class is read from each code, as bars with their intervals; one panel an attribute."""
    figure = Figure(figsize=(7.5, 0.5 + 1.35 * len(found)), layout="constrained")
    panels = figure.subplots(len(found), 1, sharex=True, squeeze=False).ravel()
    for axis, (attribute, by_code) in zip(panels, found.items(), strict=True):
        _bars(axis, by_code)
        if len(found) > 1:
            axis.set_title(literal([f"attribute {attribute}"])[0], fontsize=9, loc="left")
    panels[-1].set_xlabel("class read from the code: 0 no better than guessing, 1 always right", fontsize=9)
    return figure


def _bars(axis: Axes, by_code: Mapping[str, Leakage]) -> None:
    for place, read in enumerate(by_code.values()):
        low, high = read.interval
        axis.barh(place, read.value, color=ACCENT, height=0.62, alpha=0.75)
        axis.plot([low, high], [place, place], color=INK, linewidth=1.5)
        axis.plot([read.null] * 2, [place - 0.42, place + 0.42], color=SECOND, linestyle=":", linewidth=1.5)
        axis.text(max(high, read.null) + 0.02, place, f"{read.value:.2f}", va="center", fontsize=8, color=INK)
    axis.axvline(0, color=INK, linewidth=1)
    axis.set_yticks(range(len(by_code)), [_CODES[code] for code in by_code], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(min(-0.02, *(read.interval[0] for read in by_code.values())), 1.1)
    axis.set_xticks(np.linspace(0, 1, 6))
    plain(axis)
