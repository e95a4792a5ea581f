"""What the report shows of a model, section by section: a title, a few sentences for a reader, figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from partedvae import labels
from partedvae.data.dataset import Dataset
from partedvae.estimator import PartedVAE
from partedvae.report import figures

Array = NDArray[Any]

_PER_CLASS = 10  # prior samples
_PAIRS = 24
_STYLES = 10
_GRID_ROWS = 12  # content rows of the swap grid at most


@dataclass(frozen=True)
class Shown:
    """A figure with what a person who cannot see it is told, and a caption for one who can."""

    name: str
    figure: Figure
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One result."""

    title: str
    text: str
    figures: Sequence[Shown] = field(default_factory=tuple)


@dataclass(frozen=True)
class Subject:
    """A fitted model and the observations that the report shows it on, with labels (N, A), −1 where unknown.

    ``unseen``: the observations had no part in training.
    """

    model: PartedVAE
    x: Array
    codes: NDArray[np.int64]
    unseen: bool

    @classmethod
    def of(cls, model: PartedVAE, data: Dataset, *, unseen: bool) -> Subject:
        """A model and a data set that fits into memory."""
        return cls(model, data.array, labels.recoded(data.codes, data.attributes, model.attributes_), unseen)

    @property
    def pictures(self) -> bool:
        """Whether observations can be shown as pictures."""
        return self.model.layout_.kind != "features"

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, their numbers if fit saw none."""
        given = getattr(self.model, "feature_names_in_", None)
        return [str(i) for i in range(self.model.n_features_in_)] if given is None else [str(n) for n in given]


def all_sections(subject: Subject) -> Iterator[Section]:
    """The report from top to bottom."""
    yield from confusion(subject)
    yield swap_grid(subject)
    yield prior_samples(subject)
    yield reconstructions(subject)
    yield traversals(subject, "z", "class-independent code: style")
    yield traversals(subject, "u", "class-related code")
    yield training(subject)


def confusion(subject: Subject) -> Iterator[Section]:
    """How often each class is taken for each other."""
    predicted = subject.model.predict(subject.x).reshape(len(subject.x), -1)
    for a, attribute in enumerate(subject.model.attributes_):
        rows = subject.codes[:, a] != labels.MISSING
        if not rows.any():
            continue
        names = [str(name) for name in attribute.classes]
        truth = attribute.classes[subject.codes[rows, a]]
        counts = confusion_matrix(truth.astype(str), predicted[rows, a].astype(str), labels=names)
        right = np.trace(counts) / counts.sum()
        whose = "observations that training never saw" if subject.unseen else "labelled observations of the training"
        of = f" of {attribute.name}" if len(subject.model.attributes_) > 1 else ""
        yield Section(
            f"Which classes are taken for which{of}",
            f"{right:.1%} of {counts.sum():,} {whose} are recognised. Numbers off the diagonal are mistakes.",
            [Shown(f"confusion_{attribute.name}", figures.confusion(counts, names), _confusion_alt(counts, names))],
        )


def swap_grid(subject: Subject) -> Section:
    """Every class in every style."""
    title = "The same thing in another style"
    if not subject.pictures:
        return Section(title, "Swaps are shown for pictures only; for features, PartedVAE.swap returns their numbers.")
    figure = swap_figure(subject)
    return Section(
        title,
        "Framed pictures are originals. Each other picture has the class-related code u of the original on its left "
        "and the class-independent code z of the original above it. If the two codes are apart, a row keeps one class, "
        "and a column keeps slant, weight and the like.",
        [Shown("swap", figure, "Swap grid: one original a class on the left, in the styles of the originals on top.")],
    )


def swap_figure(subject: Subject, n_styles: int = _STYLES, seed: int = 1) -> Figure:
    """The grid of one picture a class in the style of ``n_styles`` others."""
    model = subject.model
    content_rows = _one_a_class(subject)[:_GRID_ROWS]
    contents, styles = subject.x[content_rows], subject.x[_spread(len(subject.x), n_styles, seed)]
    pairs = model.swap(np.repeat(contents, len(styles), axis=0), np.concatenate([styles] * len(contents)))
    swapped = pairs.reshape(len(contents), len(styles), *pairs.shape[1:])
    names = [str(label) for label in model.predict(contents).reshape(len(contents), -1)[:, 0]]
    return figures.swaps(_as_pictures(contents), _as_pictures(styles), swapped, names)


def prior_samples(subject: Subject) -> Section:
    """Draws from the mixture, class by class."""
    title = "Samples of each class"
    model = subject.model
    shown: list[Shown] = []
    for a, attribute in enumerate(model.attributes_):
        names = [str(name) for name in attribute.classes]
        rows = [
            model.sample(_PER_CLASS, _only(model, a, label), random_state=number)
            for number, label in enumerate(attribute.classes.tolist())
        ]
        if subject.pictures:
            figure = figures.picture_grid(rows, row_labels=names)
            alt = f"{_PER_CLASS} samples of each of {len(names)} classes of {attribute.name}."
        else:
            means = _standardised(subject, np.stack([row.mean(axis=0) for row in rows]))
            figure = figures.heat_map(means, names, subject.feature_names, "mean of samples, standardised")
            alt = f"Mean sampled features of each class of {attribute.name}."
        shown.append(
            Shown(f"samples_{attribute.name}", figure, alt, attribute.name if len(model.attributes_) > 1 else "")
        )
    return Section(
        title,
        "Nothing here is a copy: u is drawn from the learned Gaussian of the class, z from the standard normal, and "
        "both are decoded. A row should show one class in many styles.",
        shown,
    )


def reconstructions(subject: Subject) -> Section:
    """What the codes keep of an observation."""
    chosen = subject.x[_spread(len(subject.x), _PAIRS if subject.pictures else 500, seed=0)]
    again = subject.model.reconstruct(chosen)
    if subject.pictures:
        figure = figures.pairs(_as_pictures(chosen), again)
        alt = f"{len(chosen)} originals, each above its reconstruction."
    else:
        figure = figures.scatter(_standardised(subject, chosen), _standardised(subject, again))
        alt = "Features against their reconstructions; on the diagonal they agree."
    return Section(
        "What the codes keep",
        "Observations encoded to u and z and decoded again. What is lost here is in neither code.",
        [Shown("reconstructions", figure, alt)],
    )


def traversals(subject: Subject, code: str, meaning: str) -> Section:
    """Every dimension of a code moved while all others stay."""
    model = subject.model
    size = {"u": model.net_.partition.u_size, "z": model.net_.partition.z_dim}[code]
    title = f"What each dimension of {code} does ({meaning})"
    if size == 0:
        return Section(title, f"This model has no {code}.")
    one = subject.x[_spread(len(subject.x), 1, seed=2)]
    if subject.pictures:
        figure = traversal_figure(model, one, code)
        alt = f"Traversal of the {size} dimensions of {code}, one a row."
    else:
        moved = [model.traverse(one, code, dim)[0] for dim in range(size)]
        change = np.stack([_standardised(subject, row[-1:])[0] - _standardised(subject, row[:1])[0] for row in moved])
        rows = [f"{code}{dim}" for dim in range(size)]
        figure = figures.heat_map(change, rows, subject.feature_names, "change, standardised")
        alt = f"Change of every feature along each dimension of {code}."
    how = (
        "from −2 to 2, four standard deviations of the prior"
        if code == "z"
        else "from two standard deviations below the lowest class of the prior to two above the highest"
    )
    return Section(
        title,
        f"One observation, one dimension of {code} a row, moved {how}; the other dimensions keep their values. "
        "A row that does not change belongs to a dimension that the model does not use.",
        [Shown(f"traversal_{code}", figure, alt)],
    )


def traversal_figure(model: PartedVAE, one: Array, code: str) -> Figure:
    """One picture (1, …) with each dimension of a code moved, one a row."""
    size = {"u": model.net_.partition.u_size, "z": model.net_.partition.z_dim}[code]
    moved = [model.traverse(one, code, dim)[0] for dim in range(size)]
    ends = ["−2", *[""] * (len(moved[0]) - 2), "+2"] if code == "z" else ["low", *[""] * (len(moved[0]) - 2), "high"]
    return figures.picture_grid(moved, row_labels=[f"{code}{dim}" for dim in range(size)], column_labels=ends)


def training(subject: Subject) -> Section:
    """How every term of the loss went."""
    model = subject.model
    history = model.history_
    if not history:
        return Section("How training went", "The model was saved without its history.")
    return Section(
        "How training went",
        "Every term of the loss with its weight, as the objective adds them up, and below what the codes carry. "
        "The KL of each code should follow its capacity: that is how much it may say about an observation.",
        [
            Shown("losses", figures.losses(history), "Loss curves, one panel a term."),
            Shown("capacities", figures.capacities(history), "KL of each code and its capacity, by epoch."),
        ],
    )


def _one_a_class(subject: Subject) -> Array:
    """A row of each class of the first attribute, the class being the predicted one, the surest first."""
    probabilities = subject.model.predict_proba(subject.x)
    first = probabilities[0] if isinstance(probabilities, list) else probabilities
    predicted = first.argmax(axis=1)
    # Typical examples are the most legible: of each class, the one predicted with the highest probability.
    rows = [np.flatnonzero(predicted == k) for k in range(first.shape[1])]
    return np.array([own[first[own, k].argmax()] for k, own in enumerate(rows) if len(own)])


def _spread(n_rows: int, n: int, seed: int) -> Array:
    chosen: Array = np.random.default_rng(seed).permutation(n_rows)[:n]
    return chosen


def _only(model: PartedVAE, attribute: int, label: Any) -> Any:
    if len(model.attributes_) == 1:
        return label
    return [label if a == attribute else None for a in range(len(model.attributes_))]


def _as_pictures(x: Array) -> Array:
    """Originals in the range of the model's own pictures."""
    return x / 255 if x.dtype == np.uint8 else x


def _standardised(subject: Subject, x: Array) -> Array:
    scaling = subject.model.net_.scaling
    standardised: Array = scaling(subject.model.layout_.to_tensor(x)).numpy()
    return standardised


def _confusion_alt(counts: Array, names: Sequence[str]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "Confusion matrix: no mistakes."
    row, column = divmod(int(wrong.argmax()), wrong.shape[1])
    return f"Confusion matrix; most often {names[row]} is taken for {names[column]} ({wrong[row, column]} times)."
