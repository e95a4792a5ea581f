"""One function a figure: numbers in, a matplotlib figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[Any]
Record = Mapping[str, float]

TERM_TITLES = {
    "reconstruction": "reconstruction",
    "z_term": "z: |capacity − KL|",
    "u_term": "u: |capacity − KL|",
    "c_term": "classes in proportion",
    "entropy_term": "entropy of q(c|x)",
    "bc_term": "overlap of classes",
    "cross_entropy": "cross-entropy on labels",
}
_INK, _ACCENT, _SECOND, _MUTED = "#1b2a41", "#2a6f97", "#c8553d", "#8d99ae"
_TINY = 16  # pixels
_CELL = 0.62  # inches of one picture in a grid


def losses(history: Sequence[Record]) -> Figure:
    """Every term of the loss by epoch, weighted as in the objective."""
    names = [name for name in TERM_TITLES if name in history[0]]
    columns = 4
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 1.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    epochs = [record["epoch"] + 1 for record in history]
    for axis, name in zip(axes, names, strict=False):
        axis.plot(epochs, [record[name] for record in history], color=_ACCENT, label="training")
        if f"val_{name}" in history[-1]:
            validation = [record.get(f"val_{name}", np.nan) for record in history]
            axis.plot(epochs, validation, color=_SECOND, label="validation")
            axis.legend(frameon=False, fontsize=7)
        axis.set_title(TERM_TITLES[name], fontsize=9)
        if name != "reconstruction":  # the others are zero at best
            axis.set_ylim(bottom=0, top=None if any(record[name] for record in history) else 1)
        axis.set_xlabel("epoch", fontsize=8)
        _plain(axis)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    return figure


def capacities(history: Sequence[Record]) -> Figure:
    """The KL of each code beside the capacity it was allowed, in nats."""
    shown = [code for code in ("z", "u") if f"{code}_kl" in history[0]]
    figure = Figure(figsize=(4 * len(shown), 2.4), layout="constrained")
    epochs = [record["epoch"] + 1 for record in history]
    for axis, code in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        axis.plot(
            epochs, [record[f"{code}_capacity"] for record in history], color=_MUTED, linestyle="--", label="capacity"
        )
        axis.plot(epochs, [record[f"{code}_kl"] for record in history], color=_ACCENT, label=f"KL of {code}")
        axis.set_title(f"information in {code}", fontsize=9)
        axis.set_xlabel("epoch", fontsize=8)
        axis.set_ylabel("nats", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=8)
        _plain(axis)
    return figure


def confusion(counts: Array, names: Sequence[str]) -> Figure:
    """How often each class (row) was taken for each class (column)."""
    side = min(8.0, 1.6 + 0.42 * len(names))
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= 20:
        for row, column in np.ndindex(*counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.5 else _INK
                axis.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_xlabel("predicted class", fontsize=9)
    axis.set_ylabel("true class", fontsize=9)
    return figure


def pairs(originals: Array, reconstructions: Array, per_row: int = 12) -> Figure:
    """Originals above their reconstructions."""
    n_rows = -(-len(originals) // per_row)
    grid: list[list[Array | None]] = []
    labels = []
    for row in range(n_rows):
        part = slice(row * per_row, (row + 1) * per_row)
        for name, pictures in (("original", originals[part]), ("model", reconstructions[part])):
            grid.append([*pictures, *[None] * (per_row - len(pictures))])
            labels.append(name)
    return picture_grid(grid, row_labels=labels)


def swaps(contents: Array, styles: Array, swapped: Array, names: Sequence[str]) -> Figure:
    """Rows keep the class-related code of the picture on the left; columns the style of the picture on top."""
    header: list[Array | None] = [None, *styles]
    body = [[content, *row] for content, row in zip(contents, swapped, strict=True)]
    return picture_grid(
        [header, *body],
        row_labels=["", *names],
        frame={(0, i + 1) for i in range(len(styles))} | {(i + 1, 0) for i in range(len(contents))},
    )


def picture_grid(
    grid: Sequence[Array] | Sequence[Sequence[Array | None]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    frame: set[tuple[int, int]] | None = None,
) -> Figure:
    """Pictures (H, W) or (H, W, C) in rows and columns; framed cells are originals."""
    n_rows, n_columns = len(grid), max(map(len, grid))
    margin = 0.1 + 0.085 * max((len(label) for label in row_labels), default=0)
    head = 0.25 if column_labels else 0.05
    size = (margin + n_columns * _CELL + 0.05, head + n_rows * _CELL + 0.05)
    figure = Figure(figsize=size)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    figure.subplots_adjust(
        left=margin / size[0], right=1 - 0.05 / size[0], bottom=0.05 / size[1], top=1 - head / size[1],
        wspace=0.06, hspace=0.06,
    )  # fmt: skip
    limits = _limits([picture for row in grid for picture in row if picture is not None])
    for row, column in np.ndindex(n_rows, n_columns):
        axis = axes.item(row, column)
        axis.set_xticks([])
        axis.set_yticks([])
        picture = grid[row][column] if column < len(grid[row]) else None
        framed = frame is not None and (row, column) in frame
        for spine in axis.spines.values():
            spine.set_visible(framed)
            spine.set_color(_SECOND)
            spine.set_linewidth(1.5)
        if picture is not None:
            shown = _showable(picture, limits)
            # Eyes read a handful of pixels better without their edges.
            smooth = "bicubic" if min(shown.shape[:2]) < _TINY else "nearest"
            axis.imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation=smooth)
    for row, label in enumerate(row_labels):
        axes[row, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    for column, label in enumerate(column_labels):
        axes[0, column].set_title(label, fontsize=7, pad=2)
    return figure


def heat_map(values: Array, row_labels: Sequence[str], column_labels: Sequence[str], legend: str) -> Figure:
    """Numbers as colours around zero, for data that are not pictures."""
    height = min(9.0, 1.4 + 0.26 * len(row_labels))
    width = min(11.0, 2.5 + 0.24 * len(column_labels))
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    largest = float(np.abs(values).max()) or 1.0
    image = axis.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    axis.set_yticks(range(len(row_labels)), row_labels, fontsize=8)
    if len(column_labels) <= 40:
        axis.set_xticks(range(len(column_labels)), column_labels, rotation=60, ha="right", fontsize=7)
    axis.set_xlabel("feature", fontsize=9)
    figure.colorbar(image, ax=axis, label=legend, shrink=0.8)
    return figure


def scatter(original: Array, reconstruction: Array) -> Figure:
    """Every feature of every observation against its reconstruction."""
    figure = Figure(figsize=(4, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot(original.ravel(), reconstruction.ravel(), ".", color=_ACCENT, markersize=2, alpha=0.4)
    low, high = float(original.min()), float(original.max())
    axis.plot([low, high], [low, high], color=_MUTED, linewidth=1)
    axis.set_xlabel("original, standardised", fontsize=9)
    axis.set_ylabel("reconstruction, standardised", fontsize=9)
    _plain(axis)
    return figure


def groups(points: Mapping[str, Array], axes: tuple[str, str]) -> Figure:
    """Points (N, 2) of several groups, those that are unlabelled behind the others in grey."""
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axis = figure.subplots()
    for name, group in sorted(points.items(), key=lambda item: item[0] != "unlabelled"):
        colour = _MUTED if name == "unlabelled" else None
        axis.plot(*group.T, ".", markersize=4, alpha=0.7, color=colour, label=f"{name} ({len(group):,})")
    axis.set_xlabel(axes[0], fontsize=9)
    axis.set_ylabel(axes[1], fontsize=9)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _plain(axis)
    return figure


def _limits(pictures: Sequence[Array]) -> tuple[float, float]:
    low = min(float(picture.min()) for picture in pictures)
    high = max(float(picture.max()) for picture in pictures)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _showable(picture: Array, limits: tuple[float, float]) -> Array:
    low, high = limits
    scaled = (np.asarray(picture, dtype=float) - low) / max(high - low, 1e-12)
    if scaled.ndim == 2:
        return scaled
    if scaled.shape[0] <= 4 < scaled.shape[-1]:  # channels first
        scaled = np.moveaxis(scaled, 0, -1)
    channels = scaled.shape[-1]
    # matplotlib shows grey, RGB and RGBA; of two channels the first is shown.
    return scaled[..., 0] if channels <= 2 else scaled


def _plain(axis: Axes) -> None:
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
