"""One function a figure: numbers in, a matplotlib figure out."""

from partedvae.report.figures.classes import confusion, leakages, masks, reliability
from partedvae.report.figures.codes import line, plane
from partedvae.report.figures.curves import capacities, losses
from partedvae.report.figures.features import groups, heat_map, most_different, scatter
from partedvae.report.figures.pictures import beside, pairs, picture_grid, swaps

__all__ = [
    "beside",
    "capacities",
    "confusion",
    "groups",
    "heat_map",
    "leakages",
    "line",
    "losses",
    "masks",
    "most_different",
    "pairs",
    "picture_grid",
    "plane",
    "reliability",
    "scatter",
    "swaps",
]
