"""A fitted model as a folder that a person can read: JSON, safetensors and CSV; nothing in it is ever executed."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from partedvae.config import Config
from partedvae.labels import Attribute
from partedvae.layout import Kind, Layout
from partedvae.likelihoods import LikelihoodName

FORMAT_VERSION = 1
CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.csv"
RUN_PLAN = "run.json"  # of the command line: what the model beside it was trained on

_DTYPES = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U\d{1,7}|O)")
_LARGEST_CLASSES = 2**28  # bytes
_RETIRED_SETTINGS = {"consistency_threshold"}

Net = TypeVar("Net", bound=nn.Module)


class ModelFileError(ValueError):
    """A file of a saved model is missing, damaged or of a format this version does not know."""


class SavedAttribute(BaseModel):
    """An attribute's classes with the type that they had."""

    model_config = ConfigDict(extra="forbid")
    name: str
    dtype: str
    classes: list[bool | int | float | str]

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        """Two or more different classes, and a type that holds them as they are."""
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes should be two or more, all different")
        if not _DTYPES.fullmatch(self.dtype) or np.dtype(self.dtype).itemsize * len(self.classes) > _LARGEST_CLASSES:
            raise ValueError(f"dtype {self.dtype!r} is none that classes have")
        if np.array(self.classes, dtype=np.dtype(self.dtype)).tolist() != self.classes:
            raise ValueError(f"dtype {self.dtype!r} does not hold the classes as they are")
        return self


def _without_retired(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: value for name, value in settings.items() if name not in _RETIRED_SETTINGS}


SavedSettings = Annotated[Config, BeforeValidator(_without_retired)]
"""Settings in a file, maybe of an earlier version: those that training no longer has are of no use to anybody."""


class SavedModel(BaseModel):
    """What ``config.json`` holds."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["partedvae"] = "partedvae"
    format_version: int = Field(FORMAT_VERSION, ge=1, strict=True)
    partedvae_version: str
    settings: SavedSettings
    likelihood: LikelihoodName
    class_prior: list[list[float]]
    kind: Kind
    shape: list[int]
    feature_names: list[str] | None
    attributes: list[SavedAttribute] = Field(min_length=1)
    weights: str | None = Field(None, description="SHA-256 of model.safetensors; files of earlier versions have none")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Parts that say the same of shapes and of numbers of classes."""
        if min(self.shape, default=0) < 1 or Layout.of(np.broadcast_to(np.float32(0), (1, *self.shape))) != self.layout:
            raise ValueError(f"shape {self.shape} is none that {self.kind} have")
        if [len(pi) for pi in self.class_prior] != [len(attribute.classes) for attribute in self.attributes]:
            raise ValueError("class_prior and attributes should have as many classes")
        if any(not all(0 <= p < math.inf for p in pi) or sum(pi) <= 0 for pi in self.class_prior):
            raise ValueError("class_prior should hold proportions")
        if self.feature_names is not None and [len(self.feature_names)] != self.shape:
            raise ValueError(f"feature_names should be {self.shape[0]}")
        return self

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


def is_of_others(folder: Path) -> bool:
    """Whether a folder has a ``config.json`` that no version of this program wrote."""
    path = folder / CONFIG
    return path.exists() and b'"partedvae_version"' not in path.read_bytes()


def write_model(folder: Path, saved: SavedModel, net: nn.Module, history: Sequence[dict[str, float]]) -> None:
    """Write the folder; each file appears whole or not at all, and two that are not of one model are told apart.

    Raises:
        ValueError: a name of a class or a column is no text that a file could hold; nothing is written.
        FileExistsError: the folder is a file.
    """
    contiguous = {name: weight.contiguous() for name, weight in net.state_dict().items()}  # it knows one layout
    weights = save(contiguous, metadata={"format": "pt"})  # which the libraries of Hugging Face ask for
    saved = saved.model_copy(update={"weights": sha256(weights).hexdigest()})
    try:
        text = json.dumps(saved.model_dump(mode="json"), indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"A class or a column has a name that is no text of UTF-8: {error.object!r}.") from None
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; a model is a folder. Name another.")
    folder.mkdir(parents=True, exist_ok=True)
    # One after the other once all of them are made: of two models, the parts do not fit.
    write_whole(folder / HISTORY, lambda path: _write_history(path, history))
    with ExitStack() as renamed:
        for name, content in ((CONFIG, text + b"\n"), (WEIGHTS, weights)):
            renamed.enter_context(_whole(folder / name)).write_bytes(content)


def read_config(folder: Path) -> SavedModel:
    """``config.json`` of a folder, checked.

    Raises:
        ModelFileError: names the file and what is wrong with it.
    """
    path = _inside(folder, CONFIG)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        unfinished = any(folder.glob("*.ckpt"))
        advice = " Checkpoints are what training goes on from (resume_from, --resume)." if unfinished else ""
        raise ModelFileError(f"{path} is missing: {folder} is not a saved model.{advice}") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, a number without end
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
        raise ModelFileError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
    except (OverflowError, TypeError) as error:  # NumPy's, of numbers that its types do not hold
        raise ModelFileError(f"{path}: {error}") from None


def read_net(folder: Path, make: Callable[[], Net], digest: str | None) -> Net:
    """A network with the weights of ``model.safetensors``.

    What the file holds is compared with what the network would have before that is given memory: a ``config.json``
    cannot ask for more than there is a file of.

    Args:
        make: makes the network that ``config.json`` says.
        digest: of the file, if ``config.json`` says it: that of another model may have the same shapes.

    Raises:
        ModelFileError: names the file and what is wrong with it.
    """
    path = _inside(folder, WEIGHTS)
    try:
        content = path.read_bytes()  # by Python, which opens files of any name
        found = load(content)
        with torch.device("meta"):
            expected = make().state_dict()
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing.") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, RuntimeError, OverflowError) as error:
        reason = str(error).strip().splitlines()
        raise ModelFileError(f"{path} does not fit {CONFIG}: {reason[-1].strip() if reason else error}") from None
    for name in sorted(expected.keys() ^ found.keys()):
        what = "there is no" if name in expected else "it should not have"
        raise ModelFileError(f"{path} does not fit {CONFIG}: {what} {name}.")
    for name, value in expected.items():
        own = found[name]
        if own.shape != value.shape or own.is_floating_point() != value.is_floating_point():
            has, needs = (f"{tuple(each.shape)} of {each.dtype}" for each in (own, value))
            raise ModelFileError(f"{path} does not fit {CONFIG}: {name} is {has}, and should be {needs}.")
        if not own.to(value.dtype).isfinite().all():  # a type of fewer bits may not know what is finite
            raise ModelFileError(f"{path}: {name} has numbers that are not finite; the file is damaged.")
    if digest is not None and sha256(content).hexdigest() != digest:
        raise ModelFileError(f"{path} does not fit {CONFIG}: it is of another model, or was changed. Save it again.")
    net = make()
    net.load_state_dict(found)
    return net


def _inside(folder: Path, name: str) -> Path:
    """A file of a folder, which may not be a link to what lies elsewhere."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelFileError(f"{path} is a link to outside of the folder. Put a copy of the file in its place.")
    return path


def read_history(folder: Path) -> list[dict[str, float]]:
    """``history.csv`` of a folder; empty if there is none."""
    path = _inside(folder, HISTORY)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames is None:
                raise ValueError("it is empty; without the file the model has no history")
            history = [_record(row) for row in reader]
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("its end is missing; without the file the model has no history")
        return history
    except (OSError, ValueError, csv.Error) as error:
        raise ModelFileError(f"{path}: {error}") from None


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one move."""
    with _whole(path) as temporary:
        write(temporary)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, which is put in its place in the end, unless something fails."""
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # a name must not reach the disk before what it names
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):  # of another file, that is read
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_history(path: Path, history: Sequence[dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for record in history for name in record))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(history)


def _record(row: dict[Any, Any]) -> dict[str, float]:
    """An epoch's; what was not measured then has an empty cell."""
    if None in row:  # where DictReader puts cells beyond the header
        raise ValueError("a row has more cells than there are names")
    if None in row.values():  # which it has where there is no cell
        raise ValueError("a row has fewer cells than there are names")
    return {name: _number(text) for name, text in row.items() if text}


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
