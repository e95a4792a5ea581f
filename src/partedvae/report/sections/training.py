"""How training went."""

from __future__ import annotations

from partedvae.report import figures
from partedvae.report.subject import Section, Shown, Subject


def training(subject: Subject) -> Section:
    """How every term of the loss went."""
    title = "How training went"
    history = subject.model.history_
    if not history:
        return Section(title, "The model was saved without its history.")
    return Section(
        title,
        "How much a code says about an observation is its KL divergence (KL), in nats; a nat is 1.44 bits. Training "
        "holds it at a capacity that grows to a maximum. If the reconstruction still falls at the end, more epochs may "
        "help.",
        [
            Shown(
                "losses",
                figures.losses(history),
                "Loss curves, one panel a term.",
                "Every term of the loss, with its weight, as the objective adds them up; those that are 0 throughout "
                "are left out. The cross-entropy on labels does not come to 0 where labels are smoothed while "
                "hidden units are left out, as of features.",
            ),
            Shown(
                "capacities",
                figures.capacities(history),
                "KL of each code and its capacity, by epoch.",
                "What each code says about an observation, and its capacity. The KL should follow the capacity.",
            ),
        ],
    )
