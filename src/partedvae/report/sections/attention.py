"""What each class's attention mask lets through."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from partedvae.estimator import PartedVAE
from partedvae.report import figures
from partedvae.report.subject import Section, Shown, Subject, paragraphs
from partedvae.schedules import SHARPEST

Array = NDArray[Any]

_OPEN = 0.5


def attention(subject: Subject) -> Section:
    """Which hidden features each class lets speak about u."""
    sentences, shown = [], []
    for a, attribute in enumerate(subject.attributes):
        mask, names = masks(subject.model, a), subject.class_names(a)
        sentences.append(subject.called(a, openness(mask)))
        shown.append(
            Shown(
                f"attention_{attribute.name}",
                figures.masks(mask[:, in_order(mask)], names),
                f"Attention masks of {len(names)} classes of {attribute.name} over {mask.shape[1]} hidden features.",
                subject.called(a, "A row is a class, a column a hidden feature. Yellow: open; dark: shut."),
            )
        )
    return Section(
        "What the attention of each class lets through",
        paragraphs(
            "The encoder turns an observation into hidden features. The class that the model sees opens some of them "
            "and shuts others, and only what is open may say something about u (c and z are told by all).",
            *sentences,
        ),
        shown,
    )


def masks(model: PartedVAE, attribute: int) -> Array:
    """The mask of each class of an attribute: (K, H), between 0 and 1."""
    net = model.net_
    first, size = net.partition.first_class[attribute], net.partition.class_sizes[attribute]
    with torch.inference_mode():
        # A mask depends on the class of its own attribute alone: that of class k is in row k.
        every_class = torch.eye(net.partition.n_classes, device=net.class_head.weight.device)
        found: Array = net.attention(every_class, SHARPEST)[first : first + size, attribute].cpu().numpy()
    return found


def in_order(mask: Array) -> NDArray[np.int64]:
    """The columns of a mask from open to all classes to open to none; of equally many, those of like classes together.

    >>> in_order(np.array([[0.1, 0.9, 0.9, 0.1], [0.1, 0.9, 0.2, 0.8]]))
    array([1, 2, 3, 0])
    """
    opened = mask > _OPEN
    # The last key is the first to sort by: how many classes, then whether the first class is one of them, and on.
    order: NDArray[np.int64] = np.lexsort([*~opened[::-1], -opened.sum(axis=0)])
    return order


def openness(mask: Array) -> str:
    """How many hidden features are open to how many classes, in a sentence.

    >>> openness(np.array([[0.1, 0.9, 0.9, 0.1, 0.7], [0.1, 0.9, 0.2, 0.8, 0.9], [0.2, 0.9, 0.1, 0.1, 0.3]]))
    'Of 5 hidden features, 1 is open (mask above 0.5) to all classes, 2 to one class only and 1 to none.'
    """
    n_classes = (mask > _OPEN).sum(axis=0)
    to_all, to_one, to_none = (int((n_classes == n).sum()) for n in (len(mask), 1, 0))
    return (
        f"Of {mask.shape[1]:,} hidden features, {to_all:,} {'is' if to_all == 1 else 'are'} open (mask above {_OPEN}) "
        f"to all classes, {to_one:,} to one class only and {to_none:,} to none."
    )
