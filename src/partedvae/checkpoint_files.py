"""Files of checkpoints: which of them is whole, and what it says of how the run was begun."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from partedvae.warned import warn

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
MINUTES = 10.0
"""How much work a kill may cost, where epochs are longer than that."""

_NO_CHECKPOINT = (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError, EOFError)  # how it shows


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from; the message names the file and what is wrong with it."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose file is not whole, where there is no other."""


class DamagedCheckpointWarning(UserWarning):
    """The newest checkpoint is damaged, and an older one is used."""


def newest_whole(folder: Path) -> Path:
    """The last checkpoint in a folder, or the one before it if the last is damaged, with a warning that names it.

    Raises:
        CheckpointError: there is none that is whole.
    """
    damaged: list[Path] = []
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.exists():
            continue
        if is_whole(path):
            if damaged:
                warn(
                    f"{damaged[0]} is damaged: going on from {path}, which is older.",
                    DamagedCheckpointWarning,
                )
            return path
        damaged.append(path)
    if damaged:
        raise DamagedCheckpointError(f"{' and '.join(map(str, damaged))}: damaged. There is nothing to go on from.")
    raise CheckpointError(f"{folder / LAST} is missing; there is nothing to go on from.")


def checkpoint_to_resume(path: Path) -> Path:
    """A checkpoint, or the newest whole one of a folder.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    if path.is_dir():
        return newest_whole(path)
    if not path.exists():
        raise CheckpointError(f"{path} is missing; there is nothing to go on from.")
    if not is_whole(path):
        raise DamagedCheckpointError(f"{path} is damaged. Its folder may hold an older one: {PREVIOUS}.")
    return path


def require_no_unfinished(folder: Path) -> None:
    """Refuse to begin anew where another fit was stopped before its end, which would be lost.

    Raises:
        CheckpointError: says what to do.
    """
    path = next((path for path in (folder / LAST, folder / PREVIOUS) if path.exists()), None)
    if path is not None and not _is_finished(path):
        raise CheckpointError(
            f"{path} is of an earlier fit that was stopped, and would be lost: resume_from={str(folder)!r} goes on "
            "from it. Or name another folder, or remove it."
        )


def _is_finished(path: Path) -> bool:
    """Whether a fit has come to its end: by its epochs, or by early stopping, which has waited long enough."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        epochs, settings = content["partedvae"]["history"], content["partedvae"]["settings"]
        waits = [callback for callback in content["callbacks"].values() if "wait_count" in callback]
        return len(epochs) >= settings["max_epochs"] or any(one["wait_count"] >= one["patience"] for one in waits)
    except _NO_CHECKPOINT:
        return False


def seed_to_resume(path: Path, random_state: object) -> Any:
    """The seed to go on with: that of the checkpoint, unless there is one that must be the same.

    Raises:
        CheckpointError: the file is not of this program.
    """
    if isinstance(random_state, int | np.integer):
        return random_state
    try:
        return torch.load(path, map_location="cpu", weights_only=True)["partedvae"]["settings"]["random_state"]
    except _NO_CHECKPOINT:
        raise CheckpointError(f"{path} is not of this program.") from None


def is_whole(path: Path) -> bool:
    """Whether every part of the file has its checksum; torch does not look at them when it reads."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return False  # NotImplementedError: a wrong bit can name a compression that there is not
