"""What a model draws: ``generate``, ``swap`` and ``traverse``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from partedvae.cli.arguments import DataArgument, PngOption, QuietOption, RunArgument, SeedOption
from partedvae.cli.errors import UsageError
from partedvae.cli.loading import load_model, model_and_data
from partedvae.cli.outputs import sources, writable
from partedvae.cli.reading import Given, reads_data
from partedvae.cli.waiting import waiting

if TYPE_CHECKING:
    import numpy as np

    from partedvae.data import Dataset
    from partedvae.estimator import PartedVAE

_MOST = 2_500  # in a grid: fifty times fifty are as much as anybody looks at, or memory has room for
_SWAPPED = (
    "In frames: originals. All others are drawn: what stands on the left (u, its class) in the style of what stands "
    "on top (z)."
)
_ENDS = {"u": "σ is of the component of its class", "z": "the prior has σ = 1"}
_SHOWN = 5_000  # of observations that are not in memory, so many are read for a grid


def generate(
    run: RunArgument,
    output: PngOption,
    label: Annotated[
        str | None,
        typer.Option(
            help="class to draw; of several attributes ATTRIBUTE=CLASS,…; default: drawn by their proportions"
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=_MOST, help="how many")] = 64,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Draw from the learned prior.

    Example: partedvae generate runs/digits --label 3 -n 64 -o threes.png
    """
    from partedvae import plans
    from partedvae.report.figures import picture_grid
    from partedvae.report.page import save_png
    from partedvae.tables import label_named

    learned_from = [plans.read_plan(run).source] if (run / plans.RUN).exists() else []
    target = writable(output, ".png", reads=learned_from)
    model = _pictures(load_model(run))
    chosen = None if label is None else label_named(model.attributes_, label)
    with waiting("drawing", quiet):
        samples = model.sample(n, chosen, random_state=seed)
        save_png(target, picture_grid(_in_rows(samples), above=f"Drawn by the model: {label or 'any class'}."))


@reads_data
def swap(
    run: RunArgument,
    data: DataArgument,
    output: PngOption,
    styles: Annotated[int, typer.Option(min=1, max=100, help="columns of the grid")] = 10,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Draw a grid: what the pictures on the left show, in the style of the pictures on top.

    Example: partedvae swap runs/digits digits -o swap.png
    """
    from partedvae.report.page import save_png
    from partedvae.report.sections import Subject, swap_figure

    target = writable(output, ".png", reads=sources(data, given))
    model, dataset = model_and_data(run, data, given, quiet)
    subject = Subject.of(_pictures(model), _few(dataset), unseen=False)
    with waiting("drawing", quiet):
        save_png(target, swap_figure(subject, n_styles=styles, seed=seed, above=_SWAPPED))


@reads_data
def traverse(
    run: RunArgument,
    data: DataArgument,
    output: PngOption,
    code: Annotated[str, typer.Option(help="u or z")] = "z",
    row: Annotated[int, typer.Option(min=0, help="the observation to start from")] = 0,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Draw one observation with each dimension of a code moved, one a row.

    Example: partedvae traverse runs/digits digits --code u -o traversal.png
    """
    from partedvae.report.page import save_png
    from partedvae.report.sections import traversal_figure

    target = writable(output, ".png", reads=sources(data, given))
    model, dataset = model_and_data(run, data, given, quiet)
    if code not in ("u", "z"):
        raise UsageError(f"--code {code}: should be u or z.")
    if row >= len(dataset):
        raise UsageError(f"--row {row}: {data} has {len(dataset)} rows, counted from 0.")
    if code == "z" and not model.net_.partition.z_dim:
        raise UsageError("--code z: this model has no z (z_dim=0).")
    with waiting("drawing", quiet):
        called = dataset.ids[row]
        which = f"Row {row}" if called == str(row) else f"Row {row} ({called})"
        above = f"{which} with one dimension of {code} moved at a time; {_ENDS[code]}."
        save_png(target, traversal_figure(_pictures(model), dataset.take([row]).array, code, above=above))


def _pictures(model: PartedVAE) -> PartedVAE:
    if model.layout_.kind == "features":
        raise UsageError("This model was trained on features, not on pictures: there is nothing to draw.")
    return model


def _few(data: Dataset) -> Dataset:
    """A data set that fits into memory: a choice of the rows if they are not there yet."""
    from partedvae.data.lazy import in_memory
    from partedvae.data.subsets import random_rows

    return data if in_memory(data.x) else data.take(random_rows(len(data), _SHOWN))


def _in_rows(pictures: np.ndarray) -> list[list[np.ndarray]]:
    """Eight in a row, or a square if they are more."""
    per_row = max(8, math.ceil(math.sqrt(len(pictures))))
    return [list(pictures[start : start + per_row]) for start in range(0, len(pictures), per_row)]
