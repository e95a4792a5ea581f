"""Files that a command is told to write, looked at before it begins its work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from partedvae.cli.errors import UsageError
from partedvae.cli.reading import Given

TEXT = (".csv", ".txt", "")
"""Suffixes that tables are written under; pipes have none."""

_STREAMS = (Path("/dev"), Path("/dev/fd"))  # stdout is a link there, to a file where the shell redirects it to one


def sources(data: str, given: Given) -> tuple[object, ...]:
    """DATA, and the files and folders that its options name."""
    return (data, *(given.get(option) for option in ("data_dir", "label_file", "groups")))


def writable(path: Path, *suffixes: str, run: Path | None = None, reads: Sequence[object] = ()) -> Path:
    """The path, if a file can be written there, ends in what the file is, and takes the place of none that is needed.

    Args:
        suffixes: those that the file may have, first the one that is told of.
        run: whose own files must stay.
        reads: files, and folders of files, that the command reads; what is no path that exists is none.

    Raises:
        UsageError: it cannot; the message says why.
    """
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder; a file is needed.")
    if (path.exists() and not path.is_file()) or path.absolute().parent in _STREAMS:
        raise UsageError(f"-o {path}: is no file that could be written anew.")
    if str(path) == "-":
        raise UsageError("-o -: results are written to a file, not to the screen. Name one.")
    named, path = path, path.resolve() if path.is_symlink() else path
    if not os.access(path.parent, os.W_OK):  # a file is written beside its place first
        raise UsageError(f"-o {named}: the folder {path.parent.resolve()} may not be written to.")
    read_here = [Path(str(read)) for read in reads if read is not None]
    if ".png" in suffixes:
        for source in read_here:
            check_apart("-o", path, source)
    if path.exists():
        for source in read_here:
            if source.exists() and (path.samefile(source) or path.resolve().is_relative_to(source.resolve())):
                raise UsageError(f"-o {path}: {source} is read, and would be lost in part or whole. Name another file.")
        if run is not None and _is_of_run(path.resolve(), run.resolve()):
            raise UsageError(f"-o {path}: is a file of the run. Name another file.")
    if named.suffix.lower() not in suffixes:
        raise UsageError(f"-o {named}: should end in {suffixes[0]}, which is what is written.")
    return path


def check_apart(option: str, path: Path, source: Path) -> None:
    """Refuse to write among the files of a folder that is learned from: they would be read as data.

    Raises:
        UsageError: says so, by the option that named the path.
    """
    if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{option} {path}: lies in {source}, and would be read as part of it. Name another place.")


def _is_of_run(path: Path, run: Path) -> bool:
    from partedvae import persistence, plans

    of_model = {persistence.CONFIG, persistence.WEIGHTS, persistence.HISTORY}
    return path.parent == run and path.name in of_model | {plans.RUN, plans.METRICS, plans.REPORT, plans.SKIPPED}
