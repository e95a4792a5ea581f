"""That something takes long, said while it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def waiting(what: str, quiet: bool) -> Iterator[None]:
    """What is being done: moving on a terminal, else a line of its own; on stderr, and nothing if ``quiet``."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield
    elif console.is_terminal:
        with console.status(what):
            yield
    else:
        typer.echo(f"{what} …", err=True)
        yield
