"""Observations as users give them, made what the networks take, and checked against those that fit saw."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from partedvae.data.dataset import Dataset
from partedvae.data.images import DARK, WHITE, in_unit_range
from partedvae.data.lazy import LazyRows, is_stream
from partedvae.data.sparse import SparseRows
from partedvae.layout import Layout, first_flattened, first_not_finite
from partedvae.likelihoods import Bernoulli
from partedvae.model import PartedModel
from partedvae.ondemand import OnDemand, Raw, stays_put
from partedvae.scaling import extent, require_shares
from partedvae.warned import warn

Array = NDArray[Any]

_LOOKED_AT = 64  # pictures
_FAINT = 0.1  # of the range that fit saw
Observed = ArrayLike | Dataset | LazyRows


class ReadsObservations:
    """What an estimator does with observations before its networks see them; fit leaves what it saw of them.

    Attributes:
        layout_: how they are laid out.
        n_features_in_: how many numbers one is.
        feature_names_in_: names of columns, if they had some.
    """

    layout_: Layout
    n_features_in_: int
    feature_names_in_: Array
    net_: PartedModel

    def _read(self, X: Observed, fitting: bool = False) -> Raw:
        """Observations, channels first, checked against the layout that fit saw (or that it sees now)."""
        names = X.feature_names if isinstance(X, Dataset) else ()
        rows: Any = X.x if isinstance(X, Dataset) else X
        if isinstance(rows, str | os.PathLike):
            raise ValueError(f"X is a path. Give what partedvae.data.load({os.fspath(rows)!r}) makes of it.")
        if np.ma.is_masked(rows):
            raise ValueError("X is a masked array, some of whose values are masked. Fill them in: X.filled(…).")
        if hasattr(rows, "detach"):  # a tensor
            rows = rows.detach().cpu()
            rows = (rows.float() if rows.dtype == torch.bfloat16 else rows).numpy()  # which has no such type
        elif issparse(rows):
            if rows.dtype.kind == "c":
                raise ValueError("X is of complex numbers, which features are not.")
            rows = SparseRows(rows)
        elif hasattr(rows, "sparse"):  # a pandas frame has it if all of its columns are sparse
            if all(isinstance(name, str) for name in rows.columns):
                names = tuple(rows.columns)
            rows = SparseRows(rows.sparse.to_coo())
        lazy = _is_lazy(rows)
        if lazy or _n_dimensions(rows) > 2:
            if fitting:
                self.__dict__.pop("feature_names_in_", None)  # of an earlier fit, on a table
            if not lazy:
                rows = check_array(rows, allow_nd=True, ensure_all_finite=False)
        else:
            if not fitting and self.layout_.kind != "features":
                raise ValueError(f"X is not of images; fit saw images of shape ({_sizes(self.layout_.shape)}).")
            # Names that a data set has are checked below; an array has none that scikit-learn could miss.
            rows = self._validated(rows, fitting, named=bool(names))
        if lazy and not len(rows):
            raise ValueError(f"X has no observations: its shape is {tuple(rows.shape)}.")
        layout = Layout.of(rows)
        if fitting:
            self.layout_ = layout
            self.n_features_in_ = math.prod(layout.shape)
        elif layout != self.layout_:
            raise ValueError(
                f"X has observations of shape ({_sizes(layout.shape)}); fit saw ({_sizes(self.layout_.shape)})."
            )
        if names:
            self._check_names(names, fitting)
        wrong = first_not_finite(rows, names or getattr(self, "feature_names_in_", ()))
        if wrong is not None:
            raise ValueError(f"Input X contains {wrong}. Remove or fill in what is not finite.")
        if fitting and layout.kind != "features":
            _warn_of_darkness(rows)
        if fitting and layout.kind == "features":
            column = first_flattened(rows.matrix if isinstance(rows, SparseRows) else rows)
            if column is not None:
                raise ValueError(
                    f"Column {column} of X varies by little more than float32 can tell of numbers of its size. "
                    "Subtract its mean first."
                )
        return OnDemand(rows, layout) if lazy else layout.to_tensor(rows)

    def _validated(self, rows: Any, fitting: bool, named: bool) -> Array:
        with warnings.catch_warnings():
            if named:
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
            try:
                checked: Array = validate_data(self, rows, reset=fitting, ensure_all_finite=False)
                # A frame's categories that are numbers written as text are taken for what they stand for, as other
                # text is.
                return checked if checked.dtype.kind in "biuf" else checked.astype(np.float64)
            except (ValueError, TypeError):
                column = _first_without_numbers(rows)
                if column is None:
                    raise
                raise ValueError(f"Column {column!r} of X does not hold numbers, which features are.") from None

    def _check_names(self, names: Sequence[str], fitting: bool) -> None:
        if fitting:
            self.feature_names_in_ = np.array(names, dtype=object)
            return
        seen = getattr(self, "feature_names_in_", None)
        if seen is not None and list(names) != list(seen):
            place = next(i for i, (new, old) in enumerate(zip(names, seen, strict=True)) if new != old)
            raise ValueError(f"X has the feature {names[place]!r} where fit saw {seen[place]!r}.")

    def _observations(self, X: Observed) -> Raw:
        """Observations for the fitted model, which must be in the range that fit saw."""
        raw = self._read(X)
        require_range(raw, self.net_)
        return raw


def as_generated(x: Array, net: PartedModel) -> Array:
    """Observations in the range of those that the model makes: bytes of pictures in [0, 1], if fit saw them so."""
    return in_unit_range(x) if net.scaling.divides_bytes else x


def require_range(raw: Raw, net: PartedModel, called: str = "X") -> None:
    """Refuse observations that are beyond what the model can know: its pictures' range, or that of its likelihood.

    Raises:
        ValueError: it says what to do.
    """
    scaling = net.scaling
    if isinstance(net.likelihood, Bernoulli):
        require_shares(raw, called, "Bring it to what fit saw.")
    within_one = raw.ndim == 4 and scaling.divides_bytes
    if raw.ndim != 4 or (within_one and raw.dtype == torch.uint8):
        return
    least, most = extent(raw)
    low, high = float(scaling.offset), float(scaling.offset + scaling.scale)
    if most - low > 2 * (high - low) or least < 2 * low - high:
        hint = " Divide X, or pass it as uint8." if within_one else " Bring X to that range."
        seen = f"pictures in [{low:g}, {high:g}]"
        raise ValueError(f"{called} goes from {least:g} up to {most:g}; fit saw {seen}.{hint}")
    if not within_one and 0 < most - low < _FAINT * (high - low):
        warn(f"{called} goes up to {most:g} only; fit saw pictures in [{low:g}, {high:g}]. Is it in the same unit?")


def _warn_of_darkness(rows: Any) -> None:
    """Bytes are divided by 255, whatever the brightest one is: pictures of 0 and 1 would be black.

    Of a stream, which cannot be asked for rows, nothing is known.
    """
    if rows.dtype != np.uint8 or is_stream(rows):
        return
    seen = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).round().astype(np.int64)]
    most = int(seen.max())
    if 0 < most < DARK:
        warn(
            f"X is of bytes, which are divided by 255, and {len(seen)} of its pictures go up to {most} only: they are "
            f"nearly black. If {most} is white, give X / {most}. {WHITE}"
        )


def _first_without_numbers(rows: Any) -> Any:
    """The name of the first column of a frame that cannot be made numbers; none of an array."""
    for name in getattr(rows, "columns", ()):
        try:
            if np.asarray(rows[name]).dtype.kind in "mM":  # dates, which NumPy takes for numbers of their own
                return name
            np.asarray(rows[name], dtype=float)
        except (ValueError, TypeError):
            return name
    return None


def _is_lazy(rows: Any) -> bool:
    """Whether observations are to be read on demand."""
    if isinstance(rows, np.ndarray):
        return stays_put(rows)
    return isinstance(rows, LazyRows) and not hasattr(rows, "__array__")  # what makes itself an array is in memory


def _n_dimensions(X: Any) -> int:
    return len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim


def _sizes(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
