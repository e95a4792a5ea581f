"""Sprites: what is drawn where, in which colours, and which labels go with it."""

from __future__ import annotations

import cmath
import colorsys
import math
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partedvae.data.dataset import DataError
from partedvae.data.factor_labels import factor_labels
from partedvae.data.factors import FactorGrid
from partedvae.data.lazy import LazyRows
from partedvae.data.reading import Reading
from partedvae.data.sprites import GRIDS, SIDES, Sprites, read_sprites, silhouettes

Array = NDArray[Any]

GRID = GRIDS["sprites"]
SHAPES = ("square", "ellipse", "heart")
STYLES = tuple(GRIDS)


def covered(shape: str, z: complex) -> bool:
    """Whether a shape at scale 1, upright about 0, covers a point; from other definitions than the renderer's."""
    if shape == "square":
        corners = [complex(11.2 * a, 11.2 * b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        return _in_polygon(z, corners)
    if shape == "ellipse":
        focus = math.sqrt(15.4**2 - 8.4**2)
        return abs(z - focus) + abs(z + focus) <= 2 * 15.4
    h = 11.6
    # The centre of mass above the middle of the square: two half discs, each 4r/3π outside the middle of its side.
    square, discs, radius = 2 * h**2, math.pi * h**2 / 2, h / math.sqrt(2)
    lift = discs * (h / 2 + 4 * radius / (3 * math.pi) / math.sqrt(2)) / (square + discs)
    z += 1j * lift
    return _in_polygon(z, [complex(0, -h), complex(h, 0), complex(0, h), complex(-h, 0)]) or any(
        abs(z - complex(side * h / 2, h / 2)) <= radius for side in (-1, 1)
    )


def _in_polygon(z: complex, corners: list[complex]) -> bool:
    following = [*corners[1:], corners[0]]
    return all(((b - a).conjugate() * (z - a)).imag >= 0 for a, b in zip(corners, following, strict=True))


def slow_picture(values: dict[str, Any], side: int) -> Array:
    """One picture, pixel by pixel, from the values of its factors."""
    pixel = 64 / side
    centre = complex(16.5 + 31 * values["x"], 16.5 + 31 * values["y"])
    picture = np.zeros((side, side), dtype=np.uint8)
    for row in range(side):
        for column in range(side):
            z = (complex((column + 0.5) * pixel, (row + 0.5) * pixel) - centre).conjugate()  # rows go down
            turned_back = z * cmath.exp(-1j * values["orientation"]) / values["scale"]
            picture[row, column] = 255 * covered(values["shape"], turned_back)
    return picture


def values_at(grid: FactorGrid, point: int) -> dict[str, Any]:
    places = grid.factors([point])[0]
    return {name: values[place] for name, values, place in zip(grid.names, grid.values, places, strict=True)}


def pictures(*places: tuple[int, ...], style: str = "sprites", side: int = 64) -> Array:
    return Sprites(style, side)[GRIDS[style].points(places)]


def test_the_factors_are_those_of_dsprites() -> None:
    assert GRID.names == ("shape", "scale", "orientation", "x", "y")
    assert GRID.sizes == (3, 6, 40, 32, 32)
    assert len(GRID) == 737_280
    assert GRID.values[0] == SHAPES
    np.testing.assert_allclose(GRID.values[1], [0.5, 0.6, 0.7, 0.8, 0.9, 1])
    np.testing.assert_allclose(np.diff(GRID.values[2]), 2 * math.pi / 39)
    assert (GRID.values[2][0], GRID.values[2][-1]) == (0, 2 * math.pi)
    assert GRID.values[3] == GRID.values[4]
    np.testing.assert_allclose(np.array(GRID.values[3]) * 31, np.arange(32), atol=1e-12)
    assert {style: len(grid) for style, grid in GRIDS.items()} == {
        "sprites": 737_280, "sprites-rgb": 7_372_800, "sprites-room": 737_280_000,
    }  # fmt: skip


@given(style=st.sampled_from(STYLES), data=st.data())
def test_points_and_factors_are_two_ways_to_say_one_thing(style: str, data: st.DataObject) -> None:
    grid = GRIDS[style]
    point = data.draw(st.integers(0, len(grid) - 1))
    places = grid.factors([point])
    assert grid.points(places).tolist() == [point]
    number = 0
    for place, size in zip(places[0].tolist(), grid.sizes, strict=True):
        assert 0 <= place < size
        number = number * size + place
    assert number == point


@settings(max_examples=40)
@given(point=st.integers(0, len(GRID) - 1), side=st.sampled_from(SIDES))
def test_a_picture_is_what_a_slow_drawing_of_it_is(point: int, side: int) -> None:
    drawn = Sprites("sprites", side)[np.array([point])][0]
    np.testing.assert_array_equal(drawn, slow_picture(values_at(GRID, point), side))


@pytest.mark.parametrize("side", SIDES)
def test_no_edge_goes_through_a_pixel_centre(side: int) -> None:
    """So that no picture hangs on how a machine rounds."""
    step = 64 // side
    offsets = np.arange(-16, 16, dtype=np.float64) + (0 if step == 1 else 0.5)
    scales, angles = np.array(GRID.values[1]), np.array(GRID.values[2])
    for shape in SHAPES:
        larger = silhouettes(shape, scales * (1 + 1e-9), angles, offsets)
        np.testing.assert_array_equal(larger, silhouettes(shape, scales * (1 - 1e-9), angles, offsets))


@given(
    sprite=st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 39)),
    start=st.tuples(st.integers(0, 31), st.integers(0, 31)),
    end=st.tuples(st.integers(0, 31), st.integers(0, 31)),
)
def test_a_step_of_x_is_a_pixel_to_the_right_and_one_of_y_a_pixel_down(
    sprite: tuple[int, int, int], start: tuple[int, int], end: tuple[int, int]
) -> None:
    before, after = pictures((*sprite, *start), (*sprite, *end))
    moved = np.roll(before, (end[1] - start[1], end[0] - start[0]), axis=(0, 1))  # nothing is at the border to go round
    np.testing.assert_array_equal(after, moved)


@pytest.mark.parametrize("side", [8, 16, 32])
def test_smaller_pictures_move_by_whole_pixels_too(side: int) -> None:
    step = 64 // side
    before, after = pictures((2, 4, 7, 3, 5), (2, 4, 7, 3 + 2 * step, 5 + step), side=side)
    np.testing.assert_array_equal(after, np.roll(before, (1, 2), axis=(0, 1)))


@pytest.mark.parametrize("shape", range(3))
def test_area_grows_with_the_square_of_scale(shape: int) -> None:
    scales = np.array(GRID.values[1])
    rows = GRID.points([(shape, scale, turn, 16, 16) for scale in range(6) for turn in range(40)])
    areas = (Sprites("sprites", 64)[rows] > 0).sum((1, 2)).reshape(6, 40).mean(1)
    exact = [22.4**2, math.pi * 15.4 * 8.4, 11.6**2 * (2 + math.pi / 2)][shape]
    np.testing.assert_allclose(areas / scales**2, exact, rtol=0.02)


def test_sprites_are_about_a_third_of_the_picture_wide() -> None:
    square, ellipse, heart = pictures(*((shape, 5, 0, 16, 16) for shape in range(3))) > 0
    for picture, height, width in ((square, 23, 23), (ellipse, 17, 31), (heart, 26, 28)):
        assert abs(np.ptp(np.flatnonzero(picture.any(1))) + 1 - height) <= 1
        assert abs(np.ptp(np.flatnonzero(picture.any(0))) + 1 - width) <= 1


@pytest.mark.parametrize("shape", range(3))
def test_the_place_of_a_sprite_is_its_centre_of_mass(shape: int) -> None:
    for turn, x, y in ((0, 0, 31), (3, 16, 16), (17, 31, 4)):
        rows, columns = np.nonzero(pictures((shape, 5, turn, x, y))[0])
        assert math.hypot(rows.mean() - 16 - y, columns.mean() - 16 - x) < 0.3


def test_a_heart_stands_on_its_tip_and_turns_anticlockwise() -> None:
    upright = pictures((2, 5, 0, 16, 16))[0]
    np.testing.assert_array_equal(upright[:, 1:], upright[:, :0:-1])  # its centre is in column 32
    rows = np.flatnonzero(upright.any(1))
    assert (upright[rows[-1]] > 0).sum() < 3
    assert (upright[rows[0], 32], upright[rows[1], 32]) == (0, 0)  # the notch
    a_quarter_on = silhouettes("heart", np.ones(1), np.array([math.pi / 2]), np.linspace(-20, 20, 41))[0, 0]
    columns = np.flatnonzero(a_quarter_on.any(0))
    assert a_quarter_on[:, columns[-1]].sum() < 3  # the tip went from below to the right


@given(angle=st.floats(0, 7), scale=st.floats(0.5, 1))
def test_symmetries(angle: float, scale: float) -> None:
    lattice = np.arange(-16, 17, dtype=np.float64) + 0.37  # away from where rounding would decide
    scales = np.array([scale])

    def turned(shape: str, by: float) -> Array:
        both: Array = silhouettes(shape, scales, np.array([angle, angle + by]), lattice)[0]
        return both

    for shape, by in (("square", math.pi / 2), ("ellipse", math.pi), ("heart", 2 * math.pi)):
        first, second = turned(shape, by)
        assert (first != second).sum() <= 1  # an edge may still meet a point
    heart, half_on = turned("heart", math.pi)
    assert (heart != half_on).sum() > 5


@pytest.mark.parametrize("side", SIDES)
def test_first_and_last_orientation_are_one_picture(side: int) -> None:
    first, last = ([(a, b, turn, 3, 9) for a in range(3) for b in range(6)] for turn in (0, 39))
    np.testing.assert_array_equal(pictures(*first, side=side), pictures(*last, side=side))


def test_every_sprite_is_wholly_inside_at_the_extreme_places() -> None:
    corners = [(x, y) for x in (0, 31) for y in (0, 31)]
    for shape in range(3):
        glyphs = [(shape, scale, turn) for scale in range(6) for turn in range(40)]
        drawn = pictures(*((*glyph, *corner) for glyph in glyphs for corner in corners)) > 0
        assert not drawn[:, [0, -1]].any()
        assert not drawn[:, :, [0, -1]].any()
        area = drawn.sum((1, 2)).reshape(len(glyphs), 4)
        assert (area == area[:, :1]).all()
        assert (area > 0).all()


@pytest.mark.parametrize("side", SIDES)
def test_pictures_are_black_and_white(side: int) -> None:
    rows = np.random.default_rng(0).integers(len(GRID), size=500)
    drawn = Sprites("sprites", side)[rows]
    assert drawn.dtype == np.uint8
    assert drawn.shape == (500, side, side)
    assert np.unique(drawn).tolist() == [0, 255]
    assert drawn.any((1, 2)).all()


@pytest.mark.parametrize("side", [8, 16, 32])
def test_smaller_pictures_are_as_light_as_large_ones(side: int) -> None:
    rows = np.random.default_rng(0).integers(len(GRID), size=2000)
    small, large = (Sprites("sprites", s)[rows].mean((1, 2)) for s in (side, 64))
    assert small.mean() == pytest.approx(large.mean(), rel=0.02)
    assert np.corrcoef(small, large)[0, 1] > 0.9


@pytest.mark.parametrize("style", STYLES)
def test_rows_come_in_the_order_asked_for(style: str) -> None:
    sprites = Sprites(style, 32)
    assert isinstance(sprites, LazyRows)
    rows = np.array([len(sprites) - 1, 5, 400_000, 5, 0])
    drawn = sprites[rows]
    assert drawn.shape == (5, *sprites.shape[1:])
    assert drawn.dtype == sprites.dtype
    for row, picture in zip(rows, drawn, strict=True):
        np.testing.assert_array_equal(sprites[np.array([row])][0], picture)
    assert sprites[rows[:0]].shape == (0, *sprites.shape[1:])
    for outside in (-1, len(sprites)):
        with pytest.raises(ValueError, match="out of bounds"):
            sprites[np.array([outside])]


def test_a_picture_is_a_copy_that_can_be_written_on() -> None:
    sprites = Sprites("sprites", 64)
    sprites[np.array([0])][:] = 7
    assert sprites[np.array([0])].max() == 255


def test_sprites_are_sent_to_another_process_without_their_drawings() -> None:
    sprites = Sprites("sprites-room", 64)
    sprites[np.array([0])]
    sent = pickle.dumps(sprites)
    assert len(sent) < 1000
    assert pickle.loads(sent) == sprites  # noqa: S301  # our own bytes


def colour(hue: float, saturation: float, value: float) -> list[int]:
    return [round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value)]


@given(point=st.integers(0, len(GRIDS["sprites-rgb"]) - 1), side=st.sampled_from([8, 64]))
def test_a_sprite_has_its_hue_on_black(point: int, side: int) -> None:
    hue = values_at(GRIDS["sprites-rgb"], point)["hue"]
    drawn = Sprites("sprites-rgb", side)[np.array([point])][0]
    silhouette = Sprites("sprites", side)[np.array([point % len(GRID)])][0] > 0  # hue is the slowest factor
    assert np.unique(drawn[silhouette], axis=0).tolist() == [colour(hue, 1, 1)]
    assert not drawn[~silhouette].any()


@given(point=st.integers(0, len(GRIDS["sprites-room"]) - 1), side=st.sampled_from([8, 64]))
def test_a_sprite_stands_in_its_room(point: int, side: int) -> None:
    values = values_at(GRIDS["sprites-room"], point)
    drawn = Sprites("sprites-room", side)[np.array([point])][0]
    silhouette = Sprites("sprites", side)[np.array([point % len(GRID)])][0] > 0
    upper = np.arange(side)[:, None] < side // 2
    assert np.unique(drawn[silhouette], axis=0).tolist() == [colour(values["object"], 1, 1)]
    assert np.unique(drawn[~silhouette & upper], axis=0).tolist() == [colour(values["wall"], 0.4, 1)]
    assert np.unique(drawn[~silhouette & ~upper], axis=0).tolist() == [colour(values["floor"], 1, 0.5)]


def test_a_sprite_is_seen_in_a_room_of_its_own_hue() -> None:
    for hue in range(10):
        picture = pictures((hue, hue, hue, 0, 5, 0, 16, 16), style="sprites-room")[0]
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


def test_all_sprites_are_read_with_their_shapes_and_factors() -> None:
    data = read_sprites("sprites", Reading())
    assert data.x.shape == (737_280, 64, 64)
    (shape,) = data.attributes
    assert (shape.name, shape.classes.tolist()) == ("shape", list(SHAPES))
    np.testing.assert_array_equal(data.codes[:, 0], np.repeat(np.arange(3), 737_280 // 3))
    assert data.grid == GRID
    np.testing.assert_array_equal(
        data.factors[[0, 1, 32, -1]], [[0] * 5, [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [2, 5, 39, 31, 31]]
    )
    assert data.ids[3] == "3"
    assert len(data.ids) == len(data)


@pytest.mark.parametrize("style", STYLES)
def test_a_random_choice_of_rows_agrees_with_the_grid(style: str) -> None:
    data = read_sprites(style, Reading(max_rows=200, size=(16, 16), labels=("scale", "shape")))
    grid = GRIDS[style]
    assert data.points is not None
    assert data.points.dtype == np.int64
    assert len(data) == len(data.codes) == len(np.unique(data.points)) == 200
    assert (np.diff(data.points) > 0).all()
    assert data.points.mean() == pytest.approx(len(grid) / 2, rel=0.2)
    assert list(data.ids) == [str(point) for point in data.points]
    np.testing.assert_array_equal(data.x[np.arange(200)], Sprites(style, 16)[data.points])
    for row in (0, 7, 199):
        values = values_at(grid, int(data.points[row]))
        assert data.y[row].tolist() == [values["scale"], values["shape"]]
    again = read_sprites(style, Reading(max_rows=200))
    np.testing.assert_array_equal(again.points, data.points)  # whatever the size and labels
    few = data.take([5, 2])
    np.testing.assert_array_equal(few.x[np.arange(2)], Sprites(style, 16)[data.points[[5, 2]]])
    np.testing.assert_array_equal(few.factors, data.factors[[5, 2]])


def test_more_rows_than_there_are_is_all_of_them() -> None:
    data = read_sprites("sprites", Reading(max_rows=10**9))
    assert isinstance(data.x, Sprites)
    np.testing.assert_array_equal(data.points, np.arange(737_280))


def test_a_choice_from_a_huge_grid_takes_little_memory() -> None:
    read_sprites("sprites-room", Reading(max_rows=1))
    tracemalloc.start()
    data = read_sprites("sprites-room", Reading(max_rows=10_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) == 10_000
    assert peak < 10e6


@pytest.mark.parametrize(
    ("name", "reading", "message"),
    [
        ("sprites", Reading(size=(64, 32)), "^--size 64x32: .*8, 16, 32, 64"),
        ("sprites", Reading(size=(48, 48)), "^--size 48x48"),
        ("sprites", Reading(labels=("colour",)), "--label-columns.*'colour'.*shape, scale, orientation, x, y"),
        ("sprites-room", Reading(max_rows=3, labels=("hue",)), "'hue'.*floor, wall, object, shape"),
        ("sprites-room", Reading(), "737,280,000 points.*--max-rows"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, reading: Reading, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sprites(name, reading)


def test_labels_of_a_large_grid_take_little_more_memory_than_themselves() -> None:
    points = np.arange(len(GRID))
    tracemalloc.start()
    codes, _ = factor_labels(GRID, points, ["y"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(codes[:, 0], points % 32)
    assert peak < 3 * codes.nbytes


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    n_points=st.integers(0, 50),
    data=st.data(),
)
def test_factors_become_attributes(sizes: list[int], n_points: int, data: st.DataObject) -> None:
    names = tuple(f"factor {k}" for k in range(len(sizes)))
    grid = FactorGrid(names, tuple(tuple(10.0 * k for k in range(size)) for size in sizes))
    points = np.random.default_rng(n_points).integers(len(grid), size=n_points)
    named = data.draw(st.lists(st.sampled_from(names), unique=True))
    codes, attributes = factor_labels(grid, points, named)
    assert codes.shape == (n_points, len(named))
    assert codes.dtype == np.int64
    assert [attribute.name for attribute in attributes] == named
    for code, attribute in zip(codes.T, attributes, strict=True):
        assert attribute.classes.tolist() == list(grid.values[grid.column(attribute.name)])
        np.testing.assert_array_equal(code, grid.factors(points)[:, grid.column(attribute.name)])
