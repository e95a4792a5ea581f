"""The model of a run, and data as that model knows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from partedvae.cli.reading import Given

if TYPE_CHECKING:
    from partedvae.data import Dataset
    from partedvae.estimator import PartedVAE


def load_model(run: Path) -> PartedVAE:
    """The model in RUN."""
    from partedvae import runs
    from partedvae.estimator import PartedVAE
    from partedvae.persistence import CONFIG, ModelFileError

    if runs.can_go_on(run) and not (run / CONFIG).exists():
        raise ModelFileError(f"{run}: its training has not ended. partedvae train DATA --out {run} --resume goes on.")
    return PartedVAE.load(run)


def model_and_data(run: Path, data: str, given: Given, *, with_labels: bool = True) -> tuple[PartedVAE, Dataset]:
    """A model, and DATA as the model knows it: pictures at its size, brought there as in training, its features.

    Without labels, columns of a table that are not among its features are not looked at.
    """
    from partedvae import plans
    from partedvae.data import load

    model = load_model(run)
    shape, names = model.layout_.tensor_shape, getattr(model, "feature_names_in_", None)
    known: Given = {
        "size": (shape[1], shape[2]) if model.layout_.kind in ("grey", "channels_last") else None,
        "features": None if names is None else tuple(names),
        "labels": None if names is None or with_labels else (),
        "pad": (run / plans.RUN).exists() and plans.read_plan(run).reading.pad,
    }
    dataset = load(data, **{**known, **given})
    for name, reason in dataset.skipped:
        typer.echo(f"left out: {name}: {reason}", err=True)
    return model, dataset
