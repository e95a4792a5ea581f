"""How the tasks are called on docs/results.md, what they are, and which tables each has."""

from __future__ import annotations

from collections.abc import Mapping

_OF_CLASSES = ("accuracy", "nll", "ece", "class_from_u", "class_from_z", "class_gap")
_OF_PICTURES = (
    "swap_accuracy",
    "swap_normalised",
    "generation_accuracy",
    "generation_diversity",
    "reconstruction_diversity",
    "mse",
    "z_kl",
    "z_active",
)
_OF_FACTORS = (
    "factor_vae", "beta_vae", "mig", "sap", "modularity", "dci_disentanglement", "dci_completeness", "style_preserved",
)  # fmt: skip

DESCRIBED: Mapping[str, tuple[str, str, tuple[tuple[str, ...], ...]]] = {
    "fashion-mnist": (
        "Fashion-MNIST, 256 labels",
        "60,000 training pictures at 16×16, the published weights, 5 epochs.",
        (_OF_CLASSES, _OF_PICTURES),
    ),
    "sprites": (
        "Sprites",
        "100,000 squares, ellipses and hearts at 16×16, 10,000 of them labelled with their shape, the published "
        "weights for dSprites but γ_h = 0, learning rates of 10⁻³ for all methods, 4 epochs. The published capacities "
        "grow for 96 times as many steps: here z has 15 nats and u 1, not 30 and 5, and JointVAE's z half of its nats "
        "as well. This was chosen in eight runs of PartedVAE on other rows; no other method was tuned. Measures of "
        "disentanglement are of u and z side by side.",
        (_OF_CLASSES, _OF_FACTORS, _OF_PICTURES),
    ),
    "digits": (
        "Digits, 5 labels a class",
        "scikit-learn's 1,797 digits of 8×8, a fifth of them for testing, preset `paper`.",
        (_OF_CLASSES, _OF_PICTURES),
    ),
    "mnist": (
        "MNIST, 10 labels a class",
        "5,000 digits at 16×16, a fifth of them for testing, the published weights, 30 epochs.",
        (_OF_CLASSES, _OF_PICTURES),
    ),
    "digits-novelty": (
        "A class that training never saw",
        "Digits without one of the ten, another for each seed; how well the bound on the log-likelihood tells it from "
        "the others.",
        (("accuracy", "novelty_auroc"),),
    ),
    "fashion-mnist-published": (
        "Fashion-MNIST, 256 labels, published size",
        "32×32, 30 epochs (`python benchmarks/grid.py --tasks fashion-mnist-published`).",
        (_OF_CLASSES, _OF_PICTURES),
    ),
    "sprites-published": (
        "Sprites, published size and steps",
        "64×64, 80 epochs of 727,280 pictures, 10,000 labels (`python benchmarks/grid.py --tasks sprites-published`).",
        (_OF_CLASSES, _OF_FACTORS, _OF_PICTURES),
    ),
}
"""By name: title, description, and the measures of each table."""


def title(task: str) -> str:
    """What a task is called."""
    if task in DESCRIBED:
        return DESCRIBED[task][0]
    return f"Fashion-MNIST, {int(task.removeprefix('fashion-mnist-')):,} labels"
