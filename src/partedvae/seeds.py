"""What scikit-learn takes for a random state, as a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

RandomState = int | np.integer[Any] | np.random.RandomState | np.random.Generator | None


def as_32_bits(seed: int) -> int:
    """A seed as NumPy's older generators take them, and what is built on those.

    >>> as_32_bits(7), as_32_bits(2**32 + 7)
    (7, 7)
    """
    return seed % 2**32


def seed_of(random_state: RandomState) -> int:
    """A seed: the number itself, a number drawn from a generator, which moves it on, or a fresh one for ``None``.

    Raises:
        ValueError: the number is less than 0, or larger than what 63 bits hold.

    >>> seed_of(np.int64(7)), seed_of(None) == seed_of(None)
    (7, False)
    """
    if random_state is None:
        # Fresh entropy: drawing from NumPy's global generator would change the user's random state.
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, int | np.integer):
        if not 0 <= random_state < 2**63:
            raise ValueError(f"random_state={random_state}: should be from 0 to 2**63 - 1.")
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    return int(check_random_state(random_state).randint(2**31))
