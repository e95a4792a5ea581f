"""Where classes lie in u, and what each code tells of the class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.metrics.leakage import FEWEST, Leakage, leakage
from partedvae.report import figures
from partedvae.report.mixture import Plane, components
from partedvae.report.subject import Section, Shown, Subject, paragraphs

Array = NDArray[Any]

_POINTS = 3_000
_MOST_CLASSES = 20  # the probes take minutes for more
_MOST_ROWS = 1_500


def u_space(subject: Subject) -> Section:
    """The codes of observations and the components of the prior, drawn flat."""
    shown = []
    rows = subject.some(_POINTS, seed=0)
    for a, attribute in enumerate(subject.attributes):
        names = subject.class_names(a)
        codes, classes = subject.u(a)[rows], subject.codes[rows, a]
        means, variances = components(subject.model, a)
        if codes.shape[1] == 1:
            figure = figures.line(codes[:, 0], classes, means[:, 0], np.sqrt(variances[:, 0]), names)
            caption = (
                "u has one dimension. A row is a class: its observations as dots, and its component as a line from 2 "
                "standard deviations below its mean to 2 above."
            )
        else:
            plane = Plane.of(subject.u(a), means)
            figure = figures.plane(
                plane.points(codes), classes, plane.points(means), plane.covariances(variances), names
            )
            caption = (
                f"The two directions in which u varies most, with {plane.share:.0%} of its variance. Classes that "
                "overlap here may be apart in other directions, if there are any. Ellipses are components at 2 "
                "standard deviations, with the name of the class at the mean."
            )
        if not subject.known(a).all():
            caption += " Grey: observations whose class is not known here."
        alt = f"Codes u of {len(rows)} observations and the components of {len(names)} classes of {attribute.name}."
        shown.append(Shown(f"u_space_{attribute.name}", figure, alt, subject.called(a, caption)))
    return Section(
        "Where the classes lie in u",
        "Each dot is the class-related code u of one observation, coloured by its known class. The prior of u has one "
        "Gaussian a class, its component. Dots of a class should lie together, near the component of their class and "
        "apart from the others.",
        shown,
    )


def what_codes_tell(subject: Subject, seed: int = 0) -> Section:
    """How well the class can be read from c, u and z."""
    title = "What each code tells of the class"
    if not subject.unseen:
        return Section(
            title, "This is measured only on labels that training did not see; hold some out with --holdout."
        )
    found, sentences = {}, []
    for a, attribute in enumerate(subject.attributes):
        try:
            found[attribute.name] = _read(subject, a, seed)
            sentences.append(subject.called(a, _in_words(found[attribute.name], len(attribute.classes))))
        except ValueError as reason:
            sentences.append(subject.called(a, f"Not measured. {reason}"))
    if not found:
        return Section(title, paragraphs(*sentences))
    return Section(
        title,
        paragraphs(
            "Classifiers learn to read the class from one code alone, and are judged on observations that they did not "
            "see. 0 is no better than guessing, 1 always right. The class probabilities c and the class-related code u "
            "should tell much. The class-independent code z should tell nothing: what it tells of the class has leaked "
            "into the style.",
            *sentences,
        ),
        [
            Shown(
                "leakage",
                figures.leakages(found),
                "Bars of how well the class is read from each code.",
                "How well the class is read from each code, with a 95% interval. Line at 0: guessing. Dotted line: of "
                "codes that tell nothing, 95% stay below it by chance.",
            )
        ],
    )


def _read(subject: Subject, a: int, seed: int) -> dict[str, Leakage]:
    """How well each code tells the class of an attribute.

    Raises:
        ValueError: too few rows, or too many classes; it says which.
    """
    known = subject.known(a)
    truth, names = subject.codes[known, a], subject.class_names(a)
    rarest = int(np.bincount(truth, minlength=len(names)).min())
    if rarest < FEWEST:
        raise ValueError(
            f"A class has only {rarest} labelled observations here that training did not see; {FEWEST} are needed."
        )
    if len(names) > _MOST_CLASSES:
        raise ValueError(f"For {len(names)} classes this takes minutes; partedvae evaluate measures it.")
    codes = {"c": subject.probabilities[a], "u": subject.u(a), "z": subject.encoded.z}
    return {
        name: leakage(code[known], truth, max_rows=_MOST_ROWS, random_state=seed)
        for name, code in codes.items()
        if code.shape[1]
    }


def _in_words(found: dict[str, Leakage], n_classes: int) -> str:
    told = ", ".join(f"{name} {float(read):.2f}" for name, read in found.items())
    if "z" not in found:
        return f"Measured: {told}; this model has no z."
    return (
        f"Measured: {told}. From z alone the class is read rightly for {found['z'].balanced_accuracy:.0%} of the "
        f"observations, every class counting the same; guessing is right for {1 / n_classes:.0%}."
    )
