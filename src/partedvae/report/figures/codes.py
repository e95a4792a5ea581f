"""The class-related code and the mixture it comes from, drawn flat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from partedvae.report.figures.style import INK, MUTED, class_colours, literal, plain

Array = NDArray[Any]

UNKNOWN = -1
_SIGMAS = 2  # that ellipses and bars reach to either side


def plane(points: Array, classes: Array, centres: Array, covariances: Array, names: Sequence[str]) -> Figure:
    """Codes (N, 2), grey where the class is unknown, and the components (K, 2), (K, 2, 2) as ellipses at 2 sigma."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axis = figure.subplots()
    colours = class_colours(len(names))
    _dots(axis, points, classes, colours)
    for centre, covariance, colour in zip(centres, covariances, colours, strict=True):
        axis.add_patch(ellipse(centre, covariance, colour))
    for centre, name, colour in zip(centres, literal(names), colours, strict=True):
        _name(axis, centre, name, colour)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel("first direction of u", fontsize=9)
    axis.set_ylabel("second direction of u", fontsize=9)
    axis.autoscale_view()
    if (classes == UNKNOWN).any():
        axis.legend(loc="upper right", fontsize=8, markerscale=2)
    plain(axis)
    return figure


def ellipse(centre: Array, covariance: Array, colour: Any) -> Ellipse:
    """The points at 2 sigma of a Gaussian in the plane."""
    variances, directions = np.linalg.eigh(covariance)
    width, height = 2 * _SIGMAS * np.sqrt(variances)
    angle = np.degrees(np.arctan2(directions[1, 0], directions[0, 0]))
    return Ellipse(
        (float(centre[0]), float(centre[1])), width, height, angle=angle, fill=False, edgecolor=colour, linewidth=1.5
    )


def line(values: Array, classes: Array, centres: Array, deviations: Array, names: Sequence[str]) -> Figure:
    """A code of one dimension (N,): a row a class, with its component (K,) as a bar, and a row for unknown classes."""
    figure = Figure(figsize=(7, 1.0 + 0.4 * (len(names) + 1)), layout="constrained")
    axis = figure.subplots()
    colours = class_colours(len(names))
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, size=len(values))
    rows = np.where(classes == UNKNOWN, len(names), classes)
    _dots(axis, np.stack([values, rows + jitter], axis=1), classes, colours)
    for k, (centre, deviation) in enumerate(zip(centres, deviations, strict=True)):
        reach = _SIGMAS * deviation
        axis.plot([centre - reach, centre + reach], [k, k], color=INK, linewidth=1.5)
        axis.plot(centre, k, "|", color=INK, markersize=12)
    shown = [*literal(names), "unknown"] if (classes == UNKNOWN).any() else literal(names)
    axis.set_yticks(range(len(shown)), shown, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("u", fontsize=9)
    plain(axis)
    return figure


def _dots(axis: Axes, points: Array, classes: Array, colours: Array) -> None:
    unknown = classes == UNKNOWN
    axis.plot(
        points[unknown, 0], points[unknown, 1], ".", color=MUTED, markersize=3, alpha=0.35, zorder=0,
        label="without a label",
    )  # fmt: skip
    axis.scatter(
        points[~unknown, 0], points[~unknown, 1], s=9, c=colours[classes[~unknown]], alpha=0.7, linewidths=0, zorder=1
    )


def _name(axis: Axes, place: Array, name: str, colour: Any) -> None:
    halo = [withStroke(linewidth=2.5, foreground="white")]
    x, y = place.tolist()
    axis.text(
        x, y, name, color=colour, fontsize=11, weight="bold", ha="center", va="center", zorder=3, path_effects=halo
    )
