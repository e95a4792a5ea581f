"""How training went, by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from partedvae.report.figures.style import ACCENT, MUTED, SECOND, plain

Record = Mapping[str, float]

TERM_TITLES = {
    "reconstruction": "reconstruction",
    "z_term": "z: |capacity − KL|",
    "u_term": "u: |capacity − KL|",
    "c_term": "classes in proportion",
    "entropy_term": "entropy of q(c|x)",
    "bc_term": "overlap of classes",
    "zc_term": "class told by z",
    "swap_term": "class missed in swaps",
    "cross_entropy": "cross-entropy on labels",
    "consistency": "changed and blended",
}


def losses(history: Sequence[Record]) -> Figure:
    """Every term of the loss by epoch, weighted as in the objective, but those that are 0 throughout."""
    names = [name for name in TERM_TITLES if any(record.get(name) for record in history)]
    columns = 4
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 1.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    epochs = [record["epoch"] + 1 for record in history]
    for axis, name in zip(axes, names, strict=False):
        values = [record[name] for record in history]
        axis.plot(epochs, values, color=ACCENT, label="training")
        if f"val_{name}" in history[-1]:
            validation = [record.get(f"val_{name}", np.nan) for record in history]
            axis.plot(epochs, validation, color=SECOND, label="validation")
            axis.legend(frameon=False, fontsize=7)
        axis.set_title(TERM_TITLES[name], fontsize=9)
        if name != "reconstruction":  # the others are zero at best, but for what a batch estimates a little below
            axis.set_ylim(bottom=min(0, *values))
        axis.set_xlabel("epoch", fontsize=8)
        plain(axis)
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
            epochs, [record[f"{code}_capacity"] for record in history], color=MUTED, linestyle="--", label="capacity"
        )
        axis.plot(epochs, [record[f"{code}_kl"] for record in history], color=ACCENT, label=f"KL of {code}")
        axis.set_title(f"information in {code}", fontsize=9)
        axis.set_xlabel("epoch", fontsize=8)
        axis.set_ylabel("nats", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=8)
        plain(axis)
    return figure
