"""From an exception to a line on stderr and an exit status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class _Usage(Protocol):
    """typer's own errors, of words that are no command, option or value; where it keeps their class has changed."""

    def format_message(self) -> str: ...


class UsageError(ValueError):
    """Options that do not go together."""


def check_exclusive(options: Mapping[str, object]) -> None:
    """Refuse more than one of these options; one that was not typed has a value that is false.

    Raises:
        UsageError: names the first two that were.
    """
    typed = [option for option, value in options.items() if value]
    if len(typed) > 1:
        raise UsageError(f"{typed[0]} and {typed[1]} exclude each other.")


@contextmanager
def errors_of(source: str | None) -> Iterator[None]:
    """Errors of observations and labels by the name of what they were read from, if it has one."""
    try:
        yield
    except ValueError as error:
        from partedvae.data import DataError

        of_data = str(error).startswith(("X ", "y ", "Input X ", "Attribute ")) and not isinstance(error, DataError)
        if source is None or not of_data:
            raise
        raise DataError(f"{source}: {error}") from None


def line(error: Exception) -> str:
    """What is said of an error, in one line."""
    if isinstance(error, _Usage):
        context: Any = getattr(error, "ctx", None)
        wrong = " ".join(error.format_message().split())
        end = "" if wrong.endswith((".", "?")) else "."
        return f"{wrong}{end} {context.command_path if context else 'partedvae'} --help says what there is."
    message = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError | RuntimeError | MemoryError):
        return message or type(error).__name__
    # Of a library, such as an accelerator that is not there.
    return f"{type(error).__name__}: {message} (--debug shows where)"


def status(error: Exception) -> int:
    """2 if the call was wrong, 1 if the work failed: a file, the data, the machine."""
    if isinstance(error, _Usage):
        return 2
    if not isinstance(error, ValueError):
        return 1
    from partedvae.checkpoint_files import DamagedCheckpointError
    from partedvae.data import DataError
    from partedvae.persistence import ModelFileError

    if isinstance(error, DataError) and not str(error).startswith("--"):
        return 1
    return 1 if isinstance(error, ModelFileError | DamagedCheckpointError) else 2
