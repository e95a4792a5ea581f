"""Paths that stand in data, and so may be anyone's: they may lead to files beside the data and nowhere else."""

from __future__ import annotations

from pathlib import Path

from partedvae.data.dataset import DataError


def inside(root: Path, text: str, named: str, advice: str) -> Path:
    """The file that a path names, in the folder that its source speaks of.

    Args:
        root: the folder.
        text: the path, as the source has it.
        named: the source and the place in it, in errors.
        advice: what can be done if the path is meant.

    Raises:
        DataError: it is no path, or leads out of the folder.

    >>> inside(Path("/pictures"), "../secrets/a.png", "list.csv, line 2", "Move it.")
    Traceback (most recent call last):
    ...
    partedvae.data.dataset.DataError: list.csv, line 2: ../secrets/a.png leads out of /pictures. Move it.
    """
    path = root / text
    try:
        within = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL in it
        raise DataError(f"{named}: {text!r} is no path: {error}.") from None
    if not within:
        raise DataError(f"{named}: {text} leads out of {root}. {advice}")
    return path
