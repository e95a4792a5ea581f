"""The model of a run, and data as that model knows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from partedvae.cli.errors import UsageError
from partedvae.cli.reading import Given

if TYPE_CHECKING:
    from partedvae.data import Dataset
    from partedvae.estimator import PartedVAE


def load_model(run: Path) -> PartedVAE:
    """The model in RUN."""
    from partedvae.estimator import PartedVAE
    from partedvae.persistence import CONFIG, ModelFileError

    if not (run / CONFIG).exists():
        from partedvae import runs

        if runs.can_go_on(run):
            resume = f"partedvae train DATA --out {run} --resume goes on."
            raise ModelFileError(f"{run}: its training has not ended. {resume}")
    return PartedVAE.load(run)


def model_and_data(
    run: Path, data: str, given: Given, quiet: bool, *, with_labels: bool = True
) -> tuple[PartedVAE, Dataset]:
    """A model, and DATA as the model knows it: pictures at its size and in its colours, its features.

    Without labels, columns of a table that are not among its features are not looked at. What is left out, or lost, is
    said, unless ``quiet``.
    """
    from partedvae import plans
    from partedvae.data import load
    from partedvae.data.sources import applies
    from partedvae.relaid import other_colours, relaid

    model = load_model(run)
    shape, names = model.layout_.tensor_shape, getattr(model, "feature_names_in_", None)
    reading = plans.read_plan(run).reading if (run / plans.RUN).exists() else None
    apart = applies("layer", data)  # columns of obs, none of which is a feature
    by_name = with_labels or (names is None and not apart)  # or labels would be taken for features
    known: Given = {
        "size": (shape[1], shape[2]) if model.layout_.kind != "features" else None,
        "features": None if names is None else tuple(names),
        "labels": None if by_name else (),
        "labels_if_there": tuple(attribute.name for attribute in model.attributes_) if by_name else (),
        **({} if reading is None else {"pad": reading.pad, "layer": reading.layer}),
    }
    if known["size"] is not None and given.get("size", known["size"]) != known["size"]:
        own = f"{shape[1]}×{shape[2]}"
        raise UsageError(f"--size: the model knows pictures of {own}. Leave it out: others are brought to that.")
    here = {name: value for name, value in known.items() if applies(name, data)}
    dataset = load(data, **{**here, **given})
    for note in () if quiet else dataset.notes:
        typer.echo(note, err=True)
    for name, reason in () if quiet else dataset.skipped:
        typer.echo(f"left out: {name}: {reason}", err=True)
    told = other_colours(dataset.x, model.layout_)
    if told is not None and not quiet:
        typer.echo(f"{data} {told}.", err=True)
    return model, relaid(dataset, model.layout_)
