"""Terms of the loss that a user adds: functions of what one step sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from partedvae.model import PartedModel, Posterior
from partedvae.objective import Terms

_OF_A_RECORD = (
    "epoch",
    "step",
    "z_capacity",
    "u_capacity",
    "lr",
    "lr_labelled",
    "loss",
    "cross_entropy",
    "consistency",
)


@dataclass(frozen=True)
class Seen:
    """What a term may look at.

    Attributes:
        x: (N, …), observations as the networks see them.
        posterior: q(c, u, z | x).
        codes: (N, D_u + D_z), drawn from it; in validation its means.
        output: (N, …), what the decoder makes of them; ``model.likelihood.mean(output)`` are expected observations.
        model: the networks and the prior.
        step: how many steps have been taken, this one included: an int, or a tensor in a step that is compiled; in
            validation that at which the capacities are whole.
    """

    x: Tensor
    posterior: Posterior
    codes: Tensor
    output: Tensor
    model: PartedModel
    step: int | Tensor


Term = Callable[[Seen], Tensor]
"""From what a step sees to one number, weight included, that is added to the loss."""


def check_terms(extra: Mapping[str, Term] | None) -> None:
    """That terms are functions with names.

    Raises:
        ValueError: says what they are.
    """
    if extra is None:
        return
    if not isinstance(extra, Mapping):
        raise ValueError(f"extra_terms should be a dict, from names to functions; it is a {type(extra).__name__}.")
    for name, term in extra.items():
        if not isinstance(name, str) or not callable(term):
            raise ValueError(f"extra_terms: {name!r}: {term!r} should be a name and a function.")


def with_extra(terms: Terms, extra: Mapping[str, Term], seen: Seen) -> Terms:
    """The terms of the objective and the user's, by name.

    Raises:
        ValueError: a term has a name that a history has already, or is not one number.
    """
    own: dict[str, Tensor] = {}
    for name, term in extra.items():
        if name.startswith("val_") or name in {*_OF_A_RECORD, *terms.weighted, *terms.measured}:
            raise ValueError(f"extra_terms: {name!r} is a name that the history has already; choose another.")
        value = term(seen)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"extra_terms: {name!r} should give a tensor of one number; it gives {found}.")
        own[name] = value.reshape(())
    return Terms({**terms.weighted, **own}, terms.measured)
