"""Pictures in rows and columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from partedvae.report.figures.style import INK, SECOND, literal

Array = NDArray[Any]

_TINY = 16  # pixels
_CELL = 0.62  # inches of one picture in a grid
_GAP = 0.03  # of a cell, around a picture
_LETTER, _LINE = 0.066, 0.15  # inches of a letter and of a line of what is written above a grid


def pairs(originals: Array, reconstructions: Array, labels: Sequence[str]) -> Figure:
    """Originals above their reconstructions, each pair with a label."""
    return picture_grid([originals, reconstructions], ("original", "model"), labels)


def swaps(contents: Array, styles: Array, swapped: Array, names: Sequence[str], above: str = "") -> Figure:
    """Rows keep the class-related code of the picture on the left; columns the style of the picture on top."""
    header: list[Array | None] = [None, *styles]
    body = [[content, *row] for content, row in zip(contents, swapped, strict=True)]
    return picture_grid(
        [header, *body],
        row_labels=["", *names],
        frame={(0, i + 1) for i in range(len(styles))} | {(i + 1, 0) for i in range(len(contents))},
        above=above,
    )


def beside(
    original: Array, moved: Sequence[Array], row_labels: Sequence[str], ends: tuple[str, str], above: str = ""
) -> Figure:
    """Rows of what becomes of an original, with labels for both their ends, and on the right the original."""
    rows: list[list[Array]] = [list(row) for row in moved]
    steps = len(rows[0])
    rows[0].append(original)
    column_labels = [ends[0], *[""] * (steps - 2), ends[1], "original"]
    return picture_grid(rows, row_labels, column_labels, frame={(0, steps)}, above=above)


def picture_grid(
    grid: Sequence[Array] | Sequence[Sequence[Array | None]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    frame: set[tuple[int, int]] | None = None,
    above: str = "",
) -> Figure:
    """Pictures (H, W) or (H, W, C) in rows and columns; framed cells are originals. ``above`` says what they are."""
    n_rows, n_columns = len(grid), max(map(len, grid))
    margin = 0.1 + 0.085 * max((len(label) for label in row_labels), default=0)
    width = margin + n_columns * _CELL + 0.05
    lines = textwrap.wrap(above, int(width / _LETTER))
    head = (0.25 if column_labels else 0.05) + _LINE * len(lines)
    height = head + n_rows * _CELL + 0.05
    figure = Figure(figsize=(width, height))
    figure.text(0.05 / width, 1 - 0.02 / height, "\n".join(literal(lines)), va="top", fontsize=8, color=INK)
    # All pictures stand in one set of axes, a cell being one unit wide: axes of their own would take seconds.
    axis = figure.add_axes((margin / width, 0.05 / height, n_columns * _CELL / width, n_rows * _CELL / height))
    axis.set_axis_off()
    limits = _limits([picture for row in grid for picture in row if picture is not None])
    for row, pictures in enumerate(grid):
        for column, picture in enumerate(pictures):
            if picture is None:
                continue
            shown = _showable(picture, limits)
            left, right, bottom, top = _place(row, column, shown.shape[0] / shown.shape[1])
            axis.imshow(
                shown.clip(0, 1), cmap="gray", vmin=0, vmax=1, extent=(left, right, bottom, top), aspect="auto",
                # Eyes read a handful of pixels better without their edges.
                interpolation="bicubic" if min(shown.shape[:2]) < _TINY else "nearest",
            )  # fmt: skip
            if frame is not None and (row, column) in frame:
                corner, sides = (left, top), (right - left, bottom - top)
                axis.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=SECOND, linewidth=1.5, clip_on=False))
    for row, label in enumerate(literal(row_labels)):
        axis.text(-0.08, row + 0.5, label, ha="right", va="center", fontsize=8, color=INK)
    for column, label in enumerate(literal(column_labels)):
        axis.text(column + 0.5, -0.05, label, ha="center", va="bottom", fontsize=7, color=INK)
    axis.set_xlim(0, n_columns)
    axis.set_ylim(n_rows, 0)
    return figure


def _place(row: int, column: int, ratio: float) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a picture in the middle of its cell, ``ratio`` times as high as wide."""
    half = 0.5 - _GAP
    across, down = half * min(1, 1 / ratio), half * min(1, ratio)
    return column + 0.5 - across, column + 0.5 + across, row + 0.5 + down, row + 0.5 - down


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
