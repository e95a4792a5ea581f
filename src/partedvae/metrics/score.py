"""A number, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Score(float):
    """A float that also tells which columns it left out; each measure adds the tables behind it.

    Tables keep the order and number of the columns that were given: a code or factor that was left out has a row or
    column of its own in them.

    Attributes:
        value: the same number.
        n_dead: codes that were left out.
        n_constant: factors that were left out because they have one value only.

    >>> score = Score(0.5, n_dead=2, n_constant=0)
    >>> score, score + 1, score.n_dead
    (0.5, 1.5, 2)
    """

    value: float
    n_dead: int = field(kw_only=True)
    n_constant: int = field(kw_only=True)

    def __new__(cls, value: float, **_details: Any) -> Self:
        """The details are for the dataclass's __init__; a float takes its value alone."""
        return super().__new__(cls, value)


def gap_of_top_two(table: Floats, nothing: Floats) -> Floats:
    """By how much the best code of each factor leads the second best.

    Args:
        table: (D, K), of each code and factor.
        nothing: (K,), what a code that tells nothing gets: it stands in where there are fewer than two codes.

    Returns:
        (K,).

    >>> gap_of_top_two(np.array([[0.25, 1.0], [0.75, 0.5], [0.5, 0.0]]), nothing=np.zeros(2))
    array([0.25, 0.5 ])
    """
    missing = np.repeat(nothing[None], max(0, 2 - len(table)), axis=0)
    ordered = np.sort(np.concatenate([table, missing]), axis=0)
    gaps: Floats = ordered[-1] - ordered[-2]
    return gaps
