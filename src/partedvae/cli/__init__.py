"""The command line.

An error is a line on stderr; exit status 1 says that the work failed, 2 that the call was wrong.
Commands import what they work with when they are called: ``--help`` would wait seconds for torch.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

import partedvae
from partedvae.cli import data, errors
from partedvae.cli.answers import encode, predict, suggest
from partedvae.cli.measurement import evaluate, report
from partedvae.cli.pictures import generate, swap, traverse
from partedvae.cli.training import train
from partedvae.cli.tuning import tune

app = typer.Typer(
    help="Tell what a thing is apart from how it looks, with few labels.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

_COMMANDS: tuple[Callable[..., None], ...] = (  # in the order of --help
    train, tune, predict, encode, generate, swap, traverse, evaluate, suggest, report,
)  # fmt: skip
_INTERRUPTED, _TERMINATED = 130, 143

for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(data.app, name="data")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"partedvae {partedvae.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_tell_version, help="which one this is")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,  # main takes it
) -> None:
    del version, debug


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; the one place where errors become lines and exit statuses."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    words = [word for word in given if word != "--debug"]  # which may stand anywhere
    # What torch advises its programmers, such as how to set up several processes, is nothing to a user. Torch looks at
    # this when it is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    status: str | int | None = 0
    try:
        with warnings.catch_warnings(), _leaving_when_asked():
            # The columns of a file are chosen by the names that the model knows, then handed on as arrays.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            if "--quiet" in words:
                warnings.simplefilter("ignore")
            warnings.showwarning = _say
            status = app(args=words or ["--help"], prog_name="partedvae", standalone_mode=False) or 0
    except Exception as error:
        if "--debug" in given:
            traceback.print_exc()
        sys.stderr.write(f"partedvae: {errors.line(error)}\n")
        sys.exit(errors.status(error))
    except SystemExit as left:
        status = left.code
    if status in (_INTERRUPTED, _TERMINATED):  # typer has turned Ctrl-C into the first
        sys.stderr.write("partedvae: stopped.\n")
    sys.exit(status)


@contextmanager
def _leaving_when_asked() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does, so that nothing is left half-written, unless someone heeds it already."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _say(
    message: Warning | str, category: object, filename: str, lineno: int, file: object = None, line: object = None
) -> None:
    """A warning as a line, without the place in the program that it comes from."""
    del category, filename, lineno, file, line
    sys.stderr.write(f"Warning: {message}\n")
