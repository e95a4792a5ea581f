"""How a source is to be read: one frozen set of options, kept with a run so that it can be read again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field

Size = tuple[int, int]


_TYPED_AS = {"labels": "--label-columns", "features": "--feature-columns", "cache": "--no-cache"}


def option_of(name: str) -> str:
    """How an option of :class:`Reading` is typed.

    >>> option_of("labels"), option_of("data_dir")
    ('--label-columns', '--data-dir')
    """
    return _TYPED_AS.get(name, f"--{name.replace('_', '-')}")


def numbers_among(texts: Sequence[str]) -> list[float]:
    """Those of some texts that are numbers.

    >>> numbers_among(["99", "unknown", "-1"])
    [99.0, -1.0]
    """
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(float(text))
    return found


class Reading(BaseModel):
    """Options of ``load``. Each source uses those that apply to it.

    >>> Reading(size=(64, 64)).pad
    False
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: str | None = Field(None, description="where a built-in's files lie, or a manifest's paths start")
    split: str | None = Field(None, description="the part to read, of a source that has parts: train, test, …")
    size: Size | None = Field(None, description="(height, width) that pictures are brought to")
    pad: bool = Field(False, description="keep the proportions of a picture and fill the rest with black")
    labels: tuple[str, ...] | None = Field(None, description="columns, or factors, that are attributes")
    labels_if_there: tuple[str, ...] = Field((), description="columns that are labels, of those that there are")
    features: tuple[str, ...] | None = Field(None, description="columns that are features")
    layer: str | None = Field(None, description="the layer of an .h5ad that is read, or X")
    missing: tuple[str, ...] = Field((), description="labels that mean unlabelled, beside blank ones")
    label_file: str | None = Field(None, description="a table of labels that stand in place of the source's own")
    groups: str | None = Field(None, description="a YAML file that groups CelebA's 40 attributes into classes")
    max_rows: int | None = Field(None, ge=1, description="read a random choice of so many rows; of a stream the first")
    skip_bad: bool = Field(False, description="leave out what cannot be read, and list it")
    cache: bool = Field(True, description="keep decoded pictures in a file that the next start maps")
    download: bool = Field(False, description="fetch the files of a built-in that are missing")
    streaming: bool = Field(False, description="read a Hugging Face data set as it comes, never all of it")

    def labels_among(self, columns: Sequence[str]) -> tuple[str, ...] | None:
        """The columns of labels that are named, or that a model knows and there are; ``None`` if none are.

        >>> Reading(labels_if_there=("kind", "age")).labels_among(["width", "kind"])
        ('kind',)
        """
        if self.labels is not None:
            return self.labels
        return tuple(name for name in self.labels_if_there if name in columns) or None

    @property
    def typed(self) -> tuple[str, ...]:
        """The options that are not at their defaults.

        >>> Reading(size=(8, 8)).typed
        ('size',)
        """
        return tuple(name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default)
