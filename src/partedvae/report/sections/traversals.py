"""What each dimension of a code does, and what lies between the classes in u."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from partedvae.estimator import PartedVAE
from partedvae.observed import as_generated
from partedvae.report import figures
from partedvae.report.mixture import around, ways
from partedvae.report.subject import Section, Shown, Subject

Array = NDArray[Any]

_DIMENSIONS = 20  # rows of a traversal at most
_CLASSES = 12  # ways between classes at most


def of_z(subject: Subject) -> Section:
    """Every dimension of z moved while all others stay."""
    title = "What z does (class-independent code: style)"
    if not subject.model.net_.partition.z_dim:
        return Section(title, "This model has no z.")
    return Section(
        title,
        "One observation, one dimension of z a row, moved from −2 to 2, four standard deviations of the prior; the "
        "other dimensions keep their values. The style should change, not the class. A row that does not change "
        "belongs to a dimension that the model does not use.",
        [_dimensions(subject, "z")],
    )


def of_u(subject: Subject) -> Section:
    """From one class to the others, and each dimension of u moved within the component of the observation's class."""
    return Section(
        "What u does (class-related code)",
        "In the prior of u every class is a Gaussian, its component. First u is led from the mean of the component of "
        "one class to those of others, while z stays as it is: the class should change, the style should not. Then one "
        "dimension of u a row is moved within the component of the class that the model sees in the observation, from "
        "2 standard deviations (σ) below its mean to 2 above: the class should stay. What changes is how one member of "
        "the class differs from another.",
        [*_between(subject), _dimensions(subject, "u")],
    )


def traversal_figure(model: PartedVAE, one: Array, code: str, dims: list[int] | None = None, above: str = "") -> Figure:
    """One picture (1, …) with each dimension of a code, or some of them, moved, one a row; ``above`` says more."""
    if dims is None:
        dims = list(range(_size(model, code)))
    original = as_generated(one, model.net_)[0]
    ends = ("−2", "+2") if code == "z" else ("−2σ", "+2σ")
    return figures.beside(
        original,
        [row[0] for row in _moved(model, one, code, dims)],
        [f"{code}{dim}" for dim in dims],
        ends,
        above,
    )


def _dimensions(subject: Subject, code: str) -> Shown:
    model = subject.model
    one = subject.x[_example(subject)]
    spread = (subject.encoded.u if code == "u" else subject.encoded.z).var(axis=0)
    dims = np.sort(np.argsort(-spread, kind="stable")[:_DIMENSIONS]).tolist()
    some = f" The {len(dims)} of {len(spread)} dimensions that vary most are shown." if len(dims) < len(spread) else ""
    if subject.pictures:
        figure = traversal_figure(model, one, code, dims)
        alt, caption = (
            f"Traversal of {len(dims)} dimensions of {code}, one a row.",
            f"One dimension of {code} a row; all else is of the original.",
        )
    else:
        ends = [subject.scaled(row[0, [0, -1]]) for row in _moved(model, one, code, dims)]
        change = np.stack([last - first for first, last in ends])
        names = [f"{code}{dim}" for dim in dims]
        figure = figures.heat_map(change, names, subject.feature_names, "change, standardised")
        alt = f"Change of features along {len(dims)} dimensions of {code}."
        caption = f"How features change from the low to the high end of each dimension of {code}."
        caption += figures.most_different(len(subject.feature_names))
    return Shown(f"traversal_{code}", figure, alt, caption + some)


def _between(subject: Subject) -> list[Shown]:
    model = subject.model
    row = _example(subject)
    codes = np.concatenate([subject.encoded.u[row], subject.encoded.z[row]], axis=1)[0]
    shown = []
    for a, attribute in enumerate(subject.attributes):
        names = subject.class_names(a)
        start = int(subject.probabilities[a][row[0]].argmax())
        ends = [k for k in range(len(names)) if k != start][:_CLASSES]
        labels = [f"{names[start]} to {names[k]}" for k in ends]
        led = ways(model, codes, a, start, ends)
        decoded = model.inverse_transform(led.reshape(-1, led.shape[-1]))
        if subject.pictures:
            rows = decoded.reshape(*led.shape[:2], *decoded.shape[1:])
            figure = figures.beside(
                subject.as_pictures(row)[0],
                list(rows),
                labels,
                ("start", "end"),
            )
            caption = (
                "From the mean of the component of one class, on the left, to that of another, on the right, with the "
                "z of the original."
            )
        else:
            scaled = subject.scaled(decoded).reshape(*led.shape[:2], -1)
            figure = figures.heat_map(
                scaled[:, -1] - scaled[:, 0], labels, subject.feature_names, "change, standardised"
            )
            caption = "How features change from the mean of the component of one class to that of another."
            caption += figures.most_different(len(subject.feature_names))
        if len(ends) < len(names) - 1:
            caption += f" The first {len(ends)} of {len(names) - 1} other classes are shown."
        alt = f"Ways in u from {names[start]} to each of {len(ends)} other classes of {attribute.name}."
        shown.append(Shown(f"between_{attribute.name}", figure, alt, subject.called(a, caption)))
    return shown


def _moved(model: PartedVAE, one: Array, code: str, dims: list[int]) -> list[Array]:
    """An observation (1, …) with each of some dimensions moved: (1, V, …) each."""
    if code == "z":
        return [model.traverse(one, "z", dim) for dim in dims]
    probabilities = model.predict_proba(one)
    parts = probabilities if isinstance(probabilities, list) else [probabilities]
    classes = np.array([part[0].argmax() for part in parts])
    return [model.traverse(one, "u", dim, around(model, dim, classes)) for dim in dims]


def _example(subject: Subject) -> NDArray[np.int64]:
    return subject.some(1, seed=2)


def _size(model: PartedVAE, code: str) -> int:
    partition = model.net_.partition
    return {"u": partition.u_size, "z": partition.z_dim}[code]
