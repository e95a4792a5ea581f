"""Files that a command is told to write, looked at before it begins its work."""

from __future__ import annotations

from pathlib import Path

from partedvae.cli.errors import UsageError


def writable(path: Path, suffix: str | None = None) -> Path:
    """The path, if a file can be written there and ends in what the file is.

    Raises:
        UsageError: it cannot; the message says why.
    """
    if suffix is not None and path.suffix.lower() != suffix:
        raise UsageError(f"-o {path}: should end in {suffix}, which is what is written.")
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder; a file is needed.")
    return path
