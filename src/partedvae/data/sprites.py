"""Squares, ellipses and hearts over the factor grid of dSprites, drawn when a picture is asked for."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from partedvae.data.dataset import DataError, Dataset, Numbered
from partedvae.data.factor_labels import factor_labels
from partedvae.data.factors import FactorGrid
from partedvae.data.lazy import Chosen
from partedvae.data.reading import Reading

Array = NDArray[Any]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Integers = NDArray[np.int64]

SIDES = (8, 16, 32, 64)
_FRAME = max(SIDES)  # lengths are in pixels of the largest picture
_STEPS = 32  # places of the centre along each axis, one pixel apart, in the middle of the picture
_REACH = 16  # no point of a sprite is farther from its centre, so that all stay inside the picture

# With these sizes no edge goes through a pixel's centre, where rounding would decide; see the tests.
_HALF_SIDE = 11.2
_HALF_AXES = 15.4, 8.4
_HALF_DIAGONAL = 11.6


def _square(across: Floats, up: Floats) -> Bools:
    return np.maximum(abs(across), abs(up)) <= _HALF_SIDE


def _ellipse(across: Floats, up: Floats) -> Bools:
    return np.hypot(across / _HALF_AXES[0], up / _HALF_AXES[1]) <= 1


def _heart(across: Floats, up: Floats) -> Bools:
    """A square on its corner with a half disc on each upper side, about its centre of mass."""
    half = _HALF_DIAGONAL / 2
    aside, above = abs(across), up + _HALF_DIAGONAL * (3 * math.pi + 4) / (6 * math.pi + 24)
    return (aside + abs(above) <= 2 * half) | (np.hypot(aside - half, above - half) <= half * math.sqrt(2))


_SHAPES: dict[str, Callable[[Floats, Floats], Bools]] = {"square": _square, "ellipse": _ellipse, "heart": _heart}
_HUES = tuple(k / 10 for k in range(10))
_SPRITE = {
    "shape": tuple(_SHAPES),
    "scale": tuple(np.linspace(0.5, 1, 6).tolist()),
    "orientation": tuple(np.linspace(0, 2 * math.pi, 40).tolist()),
    "x": tuple(np.linspace(0, 1, _STEPS).tolist()),
    "y": tuple(np.linspace(0, 1, _STEPS).tolist()),
}
_COLOURS = {"sprites": (), "sprites-rgb": ("hue",), "sprites-room": ("floor", "wall", "object")}

GRIDS = {
    style: FactorGrid((*hues, *_SPRITE), (*(_HUES for _ in hues), *_SPRITE.values()))
    for style, hues in _COLOURS.items()
}
"""The factors of each style."""

_LARGEST_GRID = 10_000_000  # that is numbered point by point unless somebody asks for more


@dataclass(frozen=True)
class Sprites:
    """All pictures of a style, in the order of its grid; none is in memory.

    Attributes:
        style: ``sprites`` are white on black, ``sprites-rgb`` have a hue, and ``sprites-room`` stand before a wall and
            a floor, each with a hue of its own.
        side: height and width, one of ``SIDES``.

    >>> sprites = Sprites("sprites", 64)
    >>> sprites.shape, sprites[np.array([3, 700_000])].shape
    ((737280, 64, 64), (2, 64, 64))
    """

    style: str
    side: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, side, side), and 3 if there are colours."""
        return (len(self), self.side, self.side, *((3,) if _COLOURS[self.style] else ()))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(GRIDS[self.style])

    def __getitem__(self, rows: Integers) -> Pixels:
        places = GRIDS[self.style].factors(rows)
        hues, sprite = np.split(places, [len(_COLOURS[self.style])], axis=1)
        grey: Pixels = _pictures(self.side)[tuple(sprite.T)]
        return _painted(grey, hues) if hues.shape[1] else grey


def read_sprites(name: str, reading: Reading) -> Dataset:
    """The sprites of a style as data, labelled with their shape or with the factors that ``reading.labels`` names.

    Raises:
        DataError: a size that is not drawn, an unknown factor, or a grid too large to be read without ``max_rows``.

    >>> data = read_sprites("sprites", Reading(size=(32, 32), max_rows=100))
    >>> data.x.shape, data.attributes[0].classes.tolist()
    ((100, 32, 32), ['square', 'ellipse', 'heart'])
    """
    sprites, grid = Sprites(name, _side(reading)), GRIDS[name]
    if reading.max_rows is None and len(grid) > _LARGEST_GRID:
        raise DataError(f"{name}: the grid has {len(grid):,} points; give --max-rows to read a random choice of them.")
    n_rows = min(len(grid), reading.max_rows or len(grid))
    whole = n_rows == len(grid)
    points = np.arange(n_rows) if whole else _choice(len(grid), n_rows)
    codes, attributes = factor_labels(grid, points, reading.labels or ("shape",))
    x = sprites if whole else Chosen(sprites, points)
    return Dataset(x, codes, attributes, Numbered(points), grid=grid, points=points)


def silhouettes(shape: str, scales: Floats, angles: Floats, offsets: Floats) -> Bools:
    """Whether a shape covers each point of a lattice about its centre, at each scale (S,) and angle (A,).

    Args:
        angles: anticlockwise, in radians.
        offsets: of the lattice (O,) from the centre, to the right and down.

    Returns:
        (S, A, O, O).

    >>> silhouettes("square", np.ones(1), np.zeros(1), np.array([0.0, 12.0]))[0, 0].tolist()
    [[True, False], [False, False]]
    """
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    right, up = offsets[None, :], -offsets[:, None]
    scale = scales[:, None, None, None]
    return _SHAPES[shape]((cosine * right + sine * up) / scale, (cosine * up - sine * right) / scale)


@cache
def _pictures(side: int) -> Pixels:
    """All grey pictures, (shape, scale, orientation, x, y, side, side): windows into one drawing of each glyph.

    A sprite that moves by a pixel shows another window. Smaller pictures see every second, fourth or eighth point
    of a window; their pixels' centres lie between those of the largest, so they have drawings of their own.
    """
    step = _FRAME // side
    width = _FRAME + _STEPS - 1
    offsets = np.arange(width, dtype=np.float64) - (width - step) / 2
    near = slice(*np.searchsorted(offsets, [-_REACH, _REACH]))
    scales, angles = np.array(_SPRITE["scale"]), np.array(_SPRITE["orientation"])
    drawings = np.zeros((len(_SHAPES), len(scales), len(angles), width, width), dtype=np.uint8)
    for drawing, shape in zip(drawings, _SHAPES, strict=True):
        drawing[..., near, near] = np.where(silhouettes(shape, scales, angles, offsets[near]), 255, 0)
    windows = sliding_window_view(drawings, (_FRAME, _FRAME), axis=(3, 4))[..., ::step, ::step]
    return windows[..., ::-1, ::-1, :, :].swapaxes(3, 4)  # the sprite moves against its window; x before y


def _painted(grey: Pixels, hues: Integers) -> Pixels:
    """Pictures of sprites in the last of their hues, before a floor and a wall in the first two if there are three."""
    n, side, _ = grey.shape
    painted = np.empty((n, side, side, 3), dtype=np.uint8)
    sprite = _palette(saturation=1, value=1)[hues[:, -1]]
    ground = np.zeros((n, side, 3), dtype=np.uint8)
    if hues.shape[1] > 1:
        # Paler and darker than any sprite, so that one of the same hue can still be seen.
        ground[:, : side // 2] = _palette(saturation=0.4, value=1)[hues[:, 1], None]
        ground[:, side // 2 :] = _palette(saturation=1, value=0.5)[hues[:, 0], None]
    for channel in range(3):
        painted[..., channel] = np.where(grey, sprite[:, None, None, channel], ground[:, :, None, channel])
    return painted


def _palette(saturation: float, value: float) -> Pixels:
    colours = [colorsys.hsv_to_rgb(hue, saturation, value) for hue in _HUES]
    palette: Pixels = np.rint(255 * np.array(colours)).astype(np.uint8)
    return palette


def _choice(n_points: int, n_chosen: int) -> Integers:
    # Without a shuffle, up to a twentieth of the points are drawn with no array of all of them.
    return np.sort(np.random.default_rng(0).choice(n_points, n_chosen, replace=False, shuffle=False))


def _side(reading: Reading) -> int:
    height, width = reading.size or (_FRAME, _FRAME)
    if height != width or height not in SIDES:
        raise DataError(
            f"--size {height}x{width}: sprites are square, with {', '.join(map(str, SIDES))} pixels a side."
        )
    return height
