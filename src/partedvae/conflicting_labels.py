"""A warning where observations that are equal have different labels."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from partedvae.batches import known_rows
from partedvae.data.conflicts import find_duplicates
from partedvae.data.lazy import is_stream, take
from partedvae.ondemand import OnDemand, Raw
from partedvae.warned import warn

_COMPARED = 100_000  # labelled observations
_NAMED = 5  # of a group


class ConflictingLabelsWarning(UserWarning):
    """Observations that are the same to the last bit have different labels."""


def warn_of_conflicts(x: Raw, known: NDArray[Any]) -> None:
    """Say so if equal observations have different labels; of very many labelled ones, the first are looked at."""
    rows = known_rows(torch.from_numpy(known)).nonzero()[:_COMPARED, 0]
    codes = known.argmax(axis=1)[:, None] if known.dtype.kind == "f" else known
    if isinstance(x, OnDemand) and is_stream(x.rows):
        return  # finding rows of a stream means reading it once more
    labelled = take(x.rows, rows.numpy()) if isinstance(x, OnDemand) else x[rows].numpy()
    groups = find_duplicates(labelled, codes[rows.numpy()]).conflicts
    if groups:
        first = rows[list(groups[0])].tolist()
        found = ", ".join(map(str, first[:_NAMED])) + (f" and {len(first) - _NAMED} more" if first[_NAMED:] else "")
        warn(
            f"{len(groups)} groups of equal observations have different labels, such as rows {found}.",
            ConflictingLabelsWarning,
        )
