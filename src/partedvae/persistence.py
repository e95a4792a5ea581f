"""A fitted model as a folder that a person can read: JSON, safetensors and CSV; nothing in it is ever executed."""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from partedvae.config import Config
from partedvae.labels import Attribute
from partedvae.layout import Kind, Layout
from partedvae.likelihoods import LikelihoodName

FORMAT_VERSION = 1
CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.csv"


class ModelFileError(ValueError):
    """A file of a saved model is missing, damaged or of a format this version does not know."""


class SavedAttribute(BaseModel):
    """An attribute's classes with the type that they had."""

    model_config = ConfigDict(extra="forbid")
    name: str
    dtype: str
    classes: list[bool | int | float | str]


class SavedModel(BaseModel):
    """What ``config.json`` holds."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["partedvae"] = "partedvae"
    format_version: int = FORMAT_VERSION
    partedvae_version: str
    settings: Config
    likelihood: LikelihoodName
    class_prior: list[list[float]]
    kind: Kind
    shape: list[int]
    feature_names: list[str] | None
    attributes: list[SavedAttribute]

    @property
    def layout(self) -> Layout:
        """How the observations were laid out."""
        return Layout(self.kind, tuple(self.shape))


def save_attribute(attribute: Attribute) -> SavedAttribute:
    """An attribute as JSON can hold it."""
    return SavedAttribute(name=attribute.name, dtype=attribute.classes.dtype.str, classes=attribute.classes.tolist())


def load_attribute(saved: SavedAttribute) -> Attribute:
    """An attribute with its classes' type as it was."""
    return Attribute(saved.name, np.array(saved.classes, dtype=np.dtype(saved.dtype)))


def package_version() -> str:
    """The version that is installed."""
    return version("partedvae")


def write_model(folder: Path, saved: SavedModel, net: nn.Module, history: Sequence[dict[str, float]]) -> None:
    """Write the folder; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / WEIGHTS, lambda path: path.write_bytes(save(net.state_dict())))
    write_whole(folder / HISTORY, lambda path: _write_history(path, history))
    text = json.dumps(saved.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, lambda path: path.write_text(text + "\n", encoding="utf-8"))


def read_config(folder: Path) -> SavedModel:
    """``config.json`` of a folder, checked.

    Raises:
        ModelFileError: names the file and what is wrong with it.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing: {folder} is not a saved model.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from None
    found = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format {found}; partedvae {package_version()} reads formats up to {FORMAT_VERSION}. "
            "Install a newer partedvae."
        )
    try:
        return SavedModel.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ModelFileError(f"{path}: {place}: {first['msg']}") from None


def read_weights(folder: Path, net: nn.Module) -> None:
    """Fill ``net`` from ``model.safetensors``.

    Raises:
        ModelFileError: names the file and what is wrong with it.
    """
    path = folder / WEIGHTS
    try:
        net.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing.") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise ModelFileError(f"{path} does not fit {CONFIG}: {reason[-1].strip() if reason else error}") from None


def read_history(folder: Path) -> list[dict[str, float]]:
    """``history.csv`` of a folder; empty if there is none."""
    path = folder / HISTORY
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [{name: _number(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        except ValueError as error:
            raise ModelFileError(f"{path}: {error}") from None


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one move."""
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for record in history for name in record))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(history)


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
