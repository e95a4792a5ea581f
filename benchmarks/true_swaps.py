"""Swaps beside the truth: sprites are drawn, so the shape of one with scale, orientation and place of another is known.

    python benchmarks/true_swaps.py [--seeds 3] [--jobs 2]

The sprites of the grid's task with a hundredth of them labelled. Mean squared errors of swaps of random pairs of
different shapes against the true picture, beside what the mean picture of the class and the style's own picture would
have, and beside the best that can be had: a square shows its orientation but for quarters of a turn, an ellipse but for
halves, and which way a heart would point for an ellipse nothing in the data says. And how well scale, orientation and
place are read from z and from u within a class (R² of neighbours, 0 to 1).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import record
from partedvae.data.images import resize
from partedvae.data.sprites import GRIDS, Sprites
from rivals.learned import Learned
from rivals.ours import ADDITIONS, parted_vae
from tasks import Task, sprites_of_few_labels

Array = NDArray[Any]

RECIPES: Mapping[str, Mapping[str, Any]] = {"published": {}, "our recipe": ADDITIONS["our recipe"]}
_PAIRS, _NEIGHBOURS = 5_000, 10
_PAIRS_OF_BEST = 500  # each drawn in all its orientations
_GRID = GRIDS["sprites"]
_SYMMETRY = np.array([4, 2, 1])  # a square turned by a quarter is the same square, an ellipse by a half
_ALIKE = 0.55  # of a step between orientations: fractions of a turn are not whole numbers of steps


def main() -> None:
    """Fit, measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    asked = list(product(RECIPES, range(arguments.seeds)))
    with ProcessPoolExecutor(
        arguments.jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        runs = list(pool.map(figures, *zip(*asked, strict=True)))
    found = {recipe: [run for (name, _), run in zip(asked, runs, strict=True) if name == recipe] for recipe in RECIPES}
    path = record.write("true_swaps", {"by_recipe": found}, threads=1)
    table = Table("figure", *found, title="sprites, 1 % labelled")
    for key in runs[0]:
        columns = [[run[key] for run in of_recipe] for of_recipe in found.values()]
        table.add_row(key, *(f"{mean(values):.3g} ({min(values):.3g} – {max(values):.3g})" for values in columns))
    Console().print(table)
    print(f"written to {path}")


def figures(recipe: str, seed: int) -> dict[str, float]:
    """All figures of one fit."""
    task = sprites_of_few_labels(seed)
    found = measured(parted_vae(task, seed, **RECIPES[recipe]), task, seed)
    print(recipe, seed, json.dumps(found), flush=True)
    return found


def measured(learned: Learned, task: Task, seed: int) -> dict[str, float]:
    """Of test rows."""
    if learned.encode is None or learned.decode is None or learned.proba is None or task.factors_test is None:
        raise ValueError("Swaps need a model that encodes and decodes, and known factors.")
    x, factors, shape = task.x_test, task.factors_test, task.y_test
    u, z = learned.encode(x)
    random = np.random.default_rng(seed)
    what, how = random.integers(len(x), size=(2, 3 * _PAIRS))
    different = np.flatnonzero(shape[what] != shape[how])[:_PAIRS]
    what, how = what[different], how[different]
    truth = true_swaps(factors[what], factors[how], x.shape[1:])
    means = np.stack([task.x[task.truth == k].mean(axis=0) for k in range(len(task.names))]) / 255

    def error(pictures: Array) -> float:
        return float(np.mean((pictures - truth) ** 2))

    style = _styles(factors, shape)
    return {
        "accuracy": float(np.mean(learned.proba(x).argmax(axis=1) == shape)),
        "mse_of_swaps": error(learned.decode(u[what], z[how])),
        "mse_of_class_means": error(means[shape[what]]),
        "mse_of_styles_themselves": error(x[how] / 255),
        **best_possible(what[:_PAIRS_OF_BEST], how[:_PAIRS_OF_BEST], factors, truth[:_PAIRS_OF_BEST]),
        "mse_of_reconstructions": float(np.mean((learned.decode(u, z) - x / 255) ** 2)),
        **{
            f"style_from_{name}_within_class": mean(
                _told(code[shape == k], style[shape == k], seed) for k in np.unique(shape)
            )
            for name, code in (("z", z), ("u", u))
        },
    }


def true_swaps(what: Array, how: Array, size: tuple[int, ...]) -> Array:
    """Pictures in [0, 1] with the shape of the first factors (N, F) and all else of the second."""
    column = _GRID.column("shape")
    factors = how.copy()
    factors[:, column] = what[:, column]
    pictures = Sprites("sprites", 64)[_GRID.points(factors)]
    return resize(pictures, (size[0], size[1])) / 255


def best_possible(what: Array, how: Array, factors: Array, truth: Array) -> dict[str, float]:
    """Errors of expected pictures, the shape, scale and place known: the orientation as far as it is seen, and not."""
    column, shape = _GRID.column("orientation"), factors[how, _GRID.column("shape")]
    angles = np.array(_GRID.values[column], dtype=float)
    turned = factors[how].copy()
    pictures, seen_alike = [], []
    for number, angle in enumerate(angles):
        turned[:, column] = number
        pictures.append(true_swaps(factors[what], turned, truth.shape[1:]))
        off = (angle - angles[factors[how, column]]) * _SYMMETRY[shape]
        seen_alike.append(np.abs(np.angle(np.exp(1j * off))) < _ALIKE * angles[1] * _SYMMETRY[shape])
    drawn, alike = np.stack(pictures), np.stack(seen_alike)[:, :, None, None]
    return {
        "mse_of_the_best_with_orientation_as_seen": float(
            np.mean(((drawn * alike).sum(0) / alike.sum(0) - truth) ** 2)
        ),
        "mse_of_the_best_without_orientation": float(np.mean((drawn.mean(axis=0) - truth) ** 2)),
    }


def _styles(factors: Array, shape: Array) -> Array:
    """What is not shape, (N, 5): scale, x, y, and the orientation as a point on a circle, as far as it can be seen."""
    places = {name: _GRID.column(name) for name in ("scale", "x", "y", "orientation")}
    columns = {name: np.array(_GRID.values[place])[factors[:, place]] for name, place in places.items()}
    angle = columns.pop("orientation") * _SYMMETRY[shape]
    return np.stack([*columns.values(), np.cos(angle), np.sin(angle)], axis=1).astype(float)


def _told(codes: Array, styles: Array, seed: int) -> float:
    """R² of the mean of neighbours in code, the mean over styles, none below 0; on rows apart from those that teach."""
    taught, asked, known, truth = train_test_split(codes, StandardScaler().fit_transform(styles), random_state=seed)
    scaler = StandardScaler().fit(taught)
    neighbours = KNeighborsRegressor(_NEIGHBOURS).fit(scaler.transform(taught), known)
    residual = (neighbours.predict(scaler.transform(asked)) - truth).var(axis=0) / truth.var(axis=0)
    return float(np.clip(1 - residual, 0, 1).mean())


if __name__ == "__main__":
    main()
