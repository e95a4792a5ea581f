"""Which classes are recognised, and whether stated confidence can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from partedvae.metrics.calibration import expected_calibration_error, negative_log_likelihood
from partedvae.metrics.calibration import reliability as reliability_bins
from partedvae.report import figures
from partedvae.report.subject import Section, Shown, Subject, paragraphs

Array = NDArray[Any]


def confusion(subject: Subject) -> Section:
    """How often each class is taken for each other."""
    title = "Which classes are taken for which"
    sentences, shown = [], []
    for a, attribute in enumerate(subject.attributes):
        rows, names = subject.known(a), subject.class_names(a)
        if not rows.any():
            continue
        truth, guess = subject.codes[rows, a], subject.probabilities[a][rows].argmax(axis=1)
        counts = confusion_matrix(truth, guess, labels=range(len(names)))
        right, commonest = np.trace(counts) / counts.sum(), counts.sum(axis=1).max() / counts.sum()
        sentences.append(
            subject.called(
                a,
                f"Of {counts.sum():,} labelled observations {right:.1%} are recognised; always guessing the commonest "
                f"class would be right for {commonest:.1%}.",
            )
        )
        shown.append(
            Shown(
                f"confusion_{attribute.name}",
                figures.confusion(counts, names),
                _confusion_alt(counts, names),
                subject.called(
                    a, "Rows are the true classes, columns what the model says. Off the diagonal: mistakes."
                ),
            )
        )
    if not shown:
        return Section(title, "None of the observations shown has a label to compare with.")
    whose = (
        "Training saw none of these observations."
        if subject.unseen
        else "Training saw these labels, so this does not measure how well the model does on new observations."
    )
    return Section(title, paragraphs(*sentences, whose), shown)


def reliability(subject: Subject) -> Section:
    """Whether predictions are right as often as their confidence says."""
    title = "Whether the model knows how sure it can be"
    if not subject.unseen:
        return Section(
            title, "This is measured only on labels that training did not see; hold some out with --holdout."
        )
    sentences, shown = [], []
    for a, attribute in enumerate(subject.attributes):
        rows = subject.known(a)
        if not rows.any():
            continue
        p, truth = subject.probabilities[a][rows], subject.codes[rows, a]
        ece, nll = expected_calibration_error(p, truth), negative_log_likelihood(p, truth)
        sure, right = p.max(axis=1).mean(), (p.argmax(axis=1) == truth).mean()
        sentences.append(
            subject.called(
                a,
                f"The predictions are made with a mean confidence of {sure:.1%}, and {right:.1%} of them are right. "
                f"ECE {100 * ece:.1f} percentage points; NLL {nll:.2f} nats, where always calling all classes equally "
                f"likely gives {np.log(p.shape[1]):.2f}.",
            )
        )
        shown.append(
            Shown(
                f"reliability_{attribute.name}",
                figures.reliability(reliability_bins(p, truth)),
                f"Reliability diagram; the expected calibration error is {ece:.3f}.",
                subject.called(
                    a,
                    "Predictions sorted into bins by their confidence, and below how many each bin has. Points under "
                    "the dashed line: the model is too sure. Points over it: too careful. Few predictions in a bin "
                    "make a long interval.",
                ),
            )
        )
    if not shown:
        return Section(title, "None of the observations shown has a label to compare with.")
    what = (
        "Of predictions made with 80% confidence, 80% should be right. The expected calibration error (ECE) is how far "
        "stated and true shares are apart on average. The negative log-likelihood (NLL) is what the true classes cost: "
        "0 if they are always called certain, and much where the model is sure of something wrong."
    )
    return Section(title, paragraphs(what, *sentences), shown)


def _confusion_alt(counts: Array, names: Sequence[str]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "Confusion matrix: no mistakes."
    row, column = divmod(int(wrong.argmax()), wrong.shape[1])
    return f"Confusion matrix; most often {names[row]} is taken for {names[column]} ({wrong[row, column]} times)."
