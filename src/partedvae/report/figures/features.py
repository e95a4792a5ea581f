"""Observations that are not pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from partedvae.report.figures.style import ACCENT, INK, MUTED, literal, plain

Array = NDArray[Any]

_DOTS = 20_000  # more make a black patch
_NAMED = 40  # features that there is room to name


def most_different(n: int) -> str:
    """That not all of n features are in a heat map."""
    return f" Of {n:,} features, the {_NAMED} that differ most are shown." if n > _NAMED else ""


def heat_map(values: Array, row_labels: Sequence[str], column_labels: Sequence[str], legend: str) -> Figure:
    """Numbers as colours around zero; of many features those that anywhere are furthest from it."""
    shown = np.sort(np.argsort(-np.abs(values).max(axis=0), kind="stable")[:_NAMED])
    what = "feature" if len(shown) == len(column_labels) else f"{len(shown)} of {len(column_labels):,} features"
    values, column_labels = values[:, shown], [column_labels[column] for column in shown]
    height = min(9.0, 2.2 + 0.26 * len(row_labels))  # the legend needs some
    width = min(11.0, 2.5 + 0.07 * max(map(len, row_labels)) + 0.24 * len(column_labels))
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    largest = float(np.abs(values).max()) or 1.0
    image = axis.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    axis.set_yticks(range(len(row_labels)), literal(row_labels), fontsize=8)
    axis.set_xticks(range(len(column_labels)), literal(column_labels), rotation=60, ha="right", fontsize=7)
    axis.set_xlabel(what, fontsize=9)
    bar = figure.colorbar(image, ax=axis, shrink=0.9)
    bar.set_label(legend, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def scatter(original: Array, reconstruction: Array) -> Figure:
    """Every feature of every observation against its reconstruction."""
    figure = Figure(figsize=(4, 4), layout="constrained")
    axis = figure.subplots()
    chosen = np.random.default_rng(0).permutation(original.size)[:_DOTS]
    axis.plot(
        original.ravel()[chosen], reconstruction.ravel()[chosen], ".", color=ACCENT, markersize=2, alpha=0.4,
        rasterized=True,
    )  # fmt: skip
    low, high = float(original.min()), float(original.max())
    axis.plot([low, high], [low, high], color=MUTED, linewidth=1)
    axis.set_xlabel("original, standardised", fontsize=9)
    axis.set_ylabel("reconstruction, standardised", fontsize=9)
    plain(axis)
    return figure


def groups(points: Mapping[str, Array], axes: tuple[str, str], above: str = "") -> Figure:
    """Points (N, 2) of several groups, those that are unlabelled behind the others in grey; ``above`` is a title."""
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axis = figure.subplots()
    for name, group in sorted(points.items(), key=lambda item: item[0] != "unlabelled"):
        colour = MUTED if name == "unlabelled" else None
        (label,) = literal([f"{name} ({len(group):,})"])
        axis.plot(*group.T, ".", markersize=4, alpha=0.7, color=colour, label=label)
    axis.set_title(above, fontsize=8, loc="left", color=INK)
    axis.set_xlabel(axes[0], fontsize=9)
    axis.set_ylabel(axes[1], fontsize=9)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    plain(axis)
    return figure
