"""Codes and factors as the measures take them: checked, divided, and without columns that never vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Seed = int | np.integer[Any] | np.random.Generator | None

_TRAINING_SHARE = 0.7
_LARGEST, _SMALLEST = 1e100, 1e-100  # squares of what lies between are neither infinite nor zero
_ROUNDING = 8  # units in the last place


@dataclass(frozen=True)
class Rows:
    """Codes and factors that vary, and which those are.

    Attributes:
        codes: (N, D'), the columns with more than one value.
        factors: (N, K'), likewise.
        code_varies: (D,), of each code that was given.
        factor_varies: (K,), of each factor that was given.
    """

    codes: Floats
    factors: Array
    code_varies: Mask
    factor_varies: Mask

    @property
    def left_out(self) -> dict[str, int]:
        """How many columns never vary, by the names that a score has for them."""
        return {"n_dead": int((~self.code_varies).sum()), "n_constant": int((~self.factor_varies).sum())}

    def table(self, values: Array, fill: float = 0.0) -> Floats:
        """A table (D', K') as one (D, K) of all columns that were given."""
        whole = np.full((len(self.code_varies), len(self.factor_varies)), fill)
        whole[np.ix_(self.code_varies, self.factor_varies)] = values
        return whole

    def by_code(self, values: Array, fill: float = 0.0) -> Floats:
        """Values (D',) as (D,)."""
        return _scattered(values, self.code_varies, fill)

    def by_factor(self, values: Array, fill: float = 0.0) -> Floats:
        """Values (K',) as (K,)."""
        return _scattered(values, self.factor_varies, fill)


def checked(codes: ArrayLike, factors: ArrayLike, *, whole: bool = True, least_factors: int = 1) -> Rows:
    """The columns that vary.

    A code counts as constant, and is dead, if its values differ by no more than the rounding of their number type.

    Args:
        codes: (N, D) numbers.
        factors: (N, K) integers; (N,) is one factor. Every integer is a value, negative ones too.
        whole: False allows factors that are not whole numbers.
        least_factors: how many factors have to vary.

    Raises:
        ValueError: a shape, type or number that cannot be measured, or too few factors vary.

    >>> rows = checked([[0.5, 7.0], [1.5, 7.0]], [0, 1])
    >>> rows.codes.tolist(), rows.left_out
    ([[0.5], [1.5]], {'n_dead': 1, 'n_constant': 0})
    """
    x, resolution = codes_of(codes, "codes")
    y = _factors(factors, "factors", whole)
    _require_same_length(x, y, "")
    return _varying(x, y, resolution, least_factors)


def divided(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike | None,
    test_factors: ArrayLike | None,
    rng: np.random.Generator,
    *,
    least_factors: int = 1,
) -> tuple[Rows, Rows]:
    """Training and test rows: those given, or 70 % and 30 % of the rows, drawn at random.

    Which columns vary is judged on the training rows alone.

    Raises:
        ValueError: as in :func:`checked`; one of the two test arrays is missing, or has other columns.

    >>> train, test = divided(np.arange(10.0)[:, None], np.arange(10) % 2, None, None, np.random.default_rng(0))
    >>> len(train.codes), len(test.codes)
    (7, 3)
    """
    x, resolution = codes_of(codes, "codes")
    y = _factors(factors, "factors", whole=True)
    _require_same_length(x, y, "")
    if (test_codes is None) != (test_factors is None):
        missing = "test_codes" if test_codes is None else "test_factors"
        raise ValueError(f"{missing} are missing: test_codes and test_factors are given together or not at all.")
    if test_codes is None or test_factors is None:
        if len(x) < 2:
            raise ValueError("There is one row; two are needed to divide into training and test rows.")
        order = rng.permutation(len(x))
        n_train = min(len(x) - 1, round(_TRAINING_SHARE * len(x)))
        x, x_test = x[order[:n_train]], x[order[n_train:]]
        y, y_test = y[order[:n_train]], y[order[n_train:]]
    else:
        x_test, _ = codes_of(test_codes, "test_codes")
        y_test = _factors(test_factors, "test_factors", whole=True)
        _require_same_length(x_test, y_test, "test_")
        for name, train_array, test_array in (("codes", x, x_test), ("factors", y, y_test)):
            if train_array.shape[1] != test_array.shape[1]:
                raise ValueError(f"{name} have {train_array.shape[1]} columns and test_{name} {test_array.shape[1]}.")
    train = _varying(x, y, resolution, least_factors)
    codes_kept, factors_kept = x_test[:, train.code_varies], y_test[:, train.factor_varies]
    return train, Rows(codes_kept, factors_kept, train.code_varies, train.factor_varies)


def standardised(codes: Floats, like: Floats) -> Floats:
    """Codes (N, D) by the means and standard deviations of others (M, D)."""
    scaled: Floats = (codes - like.mean(axis=0)) / like.std(axis=0)
    return scaled


def for_classifier(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Codes (N, D) and (M, D) standardised by the former; if there is none, one that is zero everywhere."""
    if train.shape[1]:
        return standardised(train, like=train), standardised(test, like=train)
    return np.zeros((len(train), 1)), np.zeros((len(test), 1))


def levels(column: Array) -> Integers:
    """Values as 0, 1, …, in their order.

    >>> levels(np.array([7, -1, 7, 30]))
    array([1, 0, 1, 2])
    """
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def _varying(x: Floats, y: Array, resolution: float, least_factors: int) -> Rows:
    rounding = _ROUNDING * resolution * np.abs(x).max(axis=0)
    code_varies = np.ptp(x, axis=0) > np.maximum(rounding, _SMALLEST)
    factor_varies = np.asarray(y.min(axis=0) < y.max(axis=0))
    n_varying = int(factor_varies.sum())
    if n_varying < least_factors:
        needed = "one is" if least_factors == 1 else f"{least_factors} are"
        raise ValueError(f"{n_varying} of the factors vary among these rows; at least {needed} needed.")
    return Rows(x[:, code_varies], y[:, factor_varies], code_varies, factor_varies)


def codes_of(values: ArrayLike, name: str) -> tuple[Floats, float]:
    """As doubles (N, D), with the relative resolution of the type they came in.

    Raises:
        ValueError: a shape, type or number that cannot be measured.
    """
    _refuse_masked(values, name)
    given = np.asarray(values)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"{name} have shape {given.shape}; they should be (N, D), neither of them 0.")
    return _finite(given, name), float(np.finfo(given.dtype).eps if given.dtype.kind == "f" else np.finfo(float).eps)


def _factors(values: ArrayLike, name: str, whole: bool) -> Array:
    _refuse_masked(values, name)
    given = np.asarray(values)
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"{name} have shape {given.shape}; they should be (N, K), neither of them 0.")
    if given.dtype.kind in "iub":
        return given.astype(np.int64)
    numbers = _finite(given, name)
    if not whole:
        return numbers
    broken = np.argwhere((numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53))
    if len(broken):
        row, column = broken[0]
        raise ValueError(f"{name}[{row}, {column}] is {numbers[row, column]:g}; factors should be integers.")
    return numbers.astype(np.int64)


def _refuse_masked(values: ArrayLike, name: str) -> None:
    if np.ma.is_masked(values):
        raise ValueError(f"{name} are a masked array, some of whose values are masked: leave those rows out.")


def _finite(given: Array, name: str) -> Floats:
    if given.dtype.kind not in "fiub":
        raise ValueError(f"{name} have type {given.dtype}; they should be numbers.")
    numbers = given.astype(np.float64)
    broken = np.argwhere(~(np.abs(numbers) <= _LARGEST))
    if len(broken):
        row, column = broken[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {numbers[row, column]:g}; values should be finite, of at most {_LARGEST:g}."
        )
    return numbers


def _require_same_length(x: Array, y: Array, prefix: str) -> None:
    if len(x) != len(y):
        raise ValueError(f"{prefix}codes have {len(x)} rows and {prefix}factors {len(y)}.")


def _scattered(values: Array, where: Mask, fill: float) -> Floats:
    whole = np.full(len(where), fill)
    whole[where] = values
    return whole
