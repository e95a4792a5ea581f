"""What the model draws: swaps, samples, and what lies between two observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances

from partedvae.estimator import PartedVAE
from partedvae.labels import only
from partedvae.report import figures
from partedvae.report.subject import Section, Shown, Subject, typical

Array = NDArray[Any]

_PER_CLASS = 10  # samples
_STYLES = 10
_CLASSES = 12  # rows of the swap grid at most
_SAMPLED = 20  # classes that samples are shown of at most
_STEPS = 9
_ROOM = 8  # letters


def swap_grid(subject: Subject) -> Section:
    """Every class in every style."""
    title = "The same thing in another style"
    if not subject.pictures:
        return Section(title, "Swaps are shown for pictures only; for features, PartedVAE.swap returns their numbers.")
    if not subject.encoded.z.shape[1]:
        return Section(title, "This model has no z: there is no style to give to something else.")
    of = f" of {subject.attributes[0].name}" if len(subject.attributes) > 1 else ""
    return Section(
        title,
        "Each picture without a frame is drawn from two codes: the class-related code u of the original on its left, "
        "and the class-independent code z of the original above it. If the two codes are apart, a row keeps one class, "
        "and a column keeps slant, weight and the like.",
        [
            Shown(
                "swap",
                swap_figure(subject),
                "Swap grid: one original a class on the left, in the styles of the originals on top.",
                f"Framed pictures are originals, all others are drawn by the model. The class{of} that the model sees "
                "in an original on the left stands beside it.",
            )
        ],
    )


def swap_figure(subject: Subject, n_styles: int = _STYLES, seed: int = 1, above: str = "") -> Figure:
    """The grid of one picture a class in the style of ``n_styles`` others; ``above`` is written over it."""
    what, how = typical(subject)[:_CLASSES], subject.some(n_styles, seed)
    u, z = subject.encoded.u[what], subject.encoded.z[how]
    pairs = subject.model.decode(np.repeat(u, len(how), axis=0), np.tile(z, (len(what), 1)))
    swapped = pairs.reshape(len(what), len(how), *pairs.shape[1:])
    names = np.array(subject.class_names(0))[subject.probabilities[0][what].argmax(axis=1)]
    return figures.swaps(subject.as_pictures(what), subject.as_pictures(how), swapped, names.tolist(), above)


def samples(subject: Subject) -> Section:
    """Draws from the mixture, class by class."""
    model = subject.model
    shown: list[Shown] = []
    for a, attribute in enumerate(subject.attributes):
        labels, names = attribute.classes.tolist()[:_SAMPLED], subject.class_names(a)[:_SAMPLED]
        drawn = [
            model.sample(_PER_CLASS, only(model.attributes_, a, label), random_state=k)
            for k, label in enumerate(labels)
        ]
        if subject.pictures:
            figure = figures.picture_grid(drawn, row_labels=names)
            alt = f"{_PER_CLASS} samples of each of {len(names)} classes of {attribute.name}."
            caption = "Each row is one class."
        else:
            means = np.stack([subject.scaled(one).mean(axis=0) for one in drawn])
            figure = figures.heat_map(means, names, subject.feature_names, "mean of samples, standardised")
            alt = f"Mean sampled features of each class of {attribute.name}."
            caption = (
                f"Each row is the mean of {_PER_CLASS} samples of one class: red above the data's mean, blue below."
                + figures.most_different(len(subject.feature_names))
            )
        if len(attribute.classes) > len(labels):
            caption += f" The first {len(labels)} of {len(attribute.classes)} classes are shown."
        shown.append(Shown(f"samples_{attribute.name}", figure, alt, subject.called(a, caption)))
    return Section(
        "Samples of each class",
        "Nothing here is a copy: u is drawn from the learned Gaussian of the class, z from the standard normal, and "
        "both are decoded." + (" A row should show one class in many styles." if subject.pictures else ""),
        shown,
    )


def interpolation(subject: Subject) -> Section:
    """From one observation to another of a different class: by u, by z, and by both."""
    title = "Between two observations"
    if not subject.pictures:
        return Section(
            title,
            "Ways between observations are shown for pictures only; for features, PartedVAE.decode returns the numbers "
            "of any codes.",
        )
    rows = typical(subject)
    if len(rows) < 2:
        return Section(title, "The model sees one class in all observations shown: there are no two to go between.")
    pair = _far_apart(subject, rows)
    first, second = np.array(subject.class_names(0))[subject.probabilities[0][pair].argmax(axis=1)]
    steps = interpolations(subject.model, subject.encoded.u[pair], subject.encoded.z[pair])
    originals = subject.as_pictures(pair)
    # Every way starts at the first; only where both codes move does it end at the second.
    grid: list[list[Array | None]] = [[originals[0], *row, None] for row in steps.values()]
    grid[0][-1] = originals[1]
    figure = figures.picture_grid(
        grid,
        row_labels=list(steps),
        column_labels=[f"from {_short(first)}", *[""] * _STEPS, f"to {_short(second)}"],
        frame={(row, 0) for row in range(len(grid))} | {(0, _STEPS + 1)},
    )
    apart = (
        "In the second row u moves and z stays: the class should change, the style should not. In the third z moves "
        "and u stays: the style should change, the class should not."
        if len(steps) > 1
        else "This model has no z, so there is no style to keep."
    )
    return Section(
        title,
        f"From an observation that the model calls {first} to one that it calls {second}, in {_STEPS} equal steps "
        f"between their codes, each decoded. {apart}",
        [
            Shown(
                "interpolation",
                figure,
                f"Steps from {first} to {second}: " + ", ".join(steps) + ".",
                "Framed pictures are originals. In the first row they stand beside their own reconstructions.",
            )
        ],
    )


def interpolations(model: PartedVAE, u: Array, z: Array) -> dict[str, Array]:
    """Pictures of the codes between those of two observations, u (2, d_u) and z (2, d_z), by which code moves."""
    share = np.linspace(0, 1, _STEPS)[:, None]
    u_moves, z_moves = ((1 - share) * code[:1] + share * code[1:] for code in (u, z))
    u_stays, z_stays = (np.repeat(code[:1], _STEPS, axis=0) for code in (u, z))
    if not z.shape[1]:
        return {"u moves": model.decode(u_moves, z_moves)}
    return {
        "u and z move": model.decode(u_moves, z_moves),
        "u moves": model.decode(u_moves, z_stays),
        "z moves": model.decode(u_stays, z_moves),
    }


def _far_apart(subject: Subject, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The two of some rows that differ most in style, so that there is a way to see."""
    distances = pairwise_distances(subject.encoded.z[rows]) if subject.encoded.z.shape[1] else np.zeros([len(rows)] * 2)
    # Without any difference in style, the first and the last.
    pair = divmod(int(distances.argmax()), len(rows)) if distances.any() else (0, len(rows) - 1)
    chosen: NDArray[np.int64] = np.sort(rows[list(pair)])
    return chosen


def _short(name: str) -> str:
    """A name that has room above a picture."""
    return name if len(name) <= _ROOM else name[: _ROOM - 1] + "…"
