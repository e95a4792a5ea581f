"""Whatever goes wrong in reading a file becomes one error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from partedvae.data.dataset import DataError


@contextmanager
def naming(called: object, *kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of some kinds, by default of all, into a DataError that says of which file they speak.

    Libraries meet damage with errors of many kinds, and few of them say where.

    >>> with naming("data.npz", ValueError):
    ...     int("x")
    Traceback (most recent call last):
    ...
    partedvae.data.dataset.DataError: data.npz cannot be read: invalid literal for int() with base 10: 'x'
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if kinds and not isinstance(error, kinds):
            raise
        reason = error.args[0] if isinstance(error, KeyError) else error  # a KeyError would quote its message
        raise DataError(f"{called} cannot be read: {reason}") from None
