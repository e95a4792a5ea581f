"""What all figures share: colours, and axes without ornament."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

INK, ACCENT, SECOND, MUTED = "#1b2a41", "#2a6f97", "#c8553d", "#8d99ae"
# Dark enough for text, and none of them grey, which is for what is unknown.
_DISTINCT = (
    "#1f77b4", "#e07000", "#2ca02c", "#d62728", "#7b4fb5", "#8c564b", "#d64fa8", "#a08800", "#0aa5b8", "#1b2a6b",
)  # fmt: skip


def plain(axis: Axes) -> None:
    """Small numbers, and no frame above and to the right."""
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


def literal(names: Sequence[str]) -> list[str]:
    """Names as they are: matplotlib would read what stands between two dollar signs as mathematics."""
    return [name.replace("$", r"\$") for name in names]


def class_colours(n: int) -> NDArray[np.float64]:
    """A colour for each of n classes: (n, 4)."""
    if n <= len(_DISTINCT):
        return np.array([to_rgba(name) for name in _DISTINCT[:n]])
    return np.array(matplotlib.colormaps["turbo"](np.linspace(0.03, 0.97, n)))
