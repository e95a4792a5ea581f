"""The options of the commands that read DATA, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from partedvae.cli.errors import UsageError, errors_of

Given = dict[str, Any]
"""Options of :class:`partedvae.data.Reading` that were typed."""

_PANEL = "How DATA is read"


def _option(*names: str, **more: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **more)


def _gather(
    *,
    size: Annotated[str | None, _option(metavar="H[xW]", help="bring pictures to this size")] = None,
    pad: Annotated[bool, _option("--pad", help="with --size: keep proportions, fill the rest with black")] = False,
    split: Annotated[str | None, _option(help="the part to read, of a source that has parts: train, test, …")] = None,
    label_columns: Annotated[
        list[str] | None, _option(metavar="A,B", help="columns, or factors, that are attributes; repeatable")
    ] = None,
    feature_columns: Annotated[
        list[str] | None, _option(metavar="A,B", help="columns that are features; repeatable")
    ] = None,
    layer: Annotated[
        str | None, _option(help="the layer of an .h5ad that is read; default: X, or that of the run")
    ] = None,
    missing: Annotated[list[str] | None, _option(metavar="LABEL", help="means unlabelled; repeatable")] = None,
    label_file: Annotated[
        Path | None, _option(metavar="FILE", help="labels in place of DATA's own: a table with id, or an .npy")
    ] = None,
    data_dir: Annotated[
        Path | None, _option(help="where the files of a built-in lie, or where the paths of a manifest start")
    ] = None,
    download: Annotated[bool, _option("--download", help="fetch files that are missing")] = False,
    max_rows: Annotated[
        int | None, _option(min=1, help="read a random choice of so many rows; of a stream the first ones")
    ] = None,
    skip_bad: Annotated[bool, _option("--skip-bad", help="leave out what cannot be read, and list it")] = False,
    streaming: Annotated[bool, _option("--streaming", help="read a Hugging Face data set as it comes")] = False,
    groups: Annotated[Path | None, _option(metavar="FILE.yaml", help="other groups of CelebA's attributes")] = None,
    no_cache: Annotated[bool, _option("--no-cache", help="keep no decoded pictures for the next start")] = False,
) -> Given:
    """What was typed, as ``Reading`` names it."""
    from partedvae.data.images import parse_size

    typed: Given = {
        "size": parse_size(size) if size else None,
        "pad": pad or None,
        "split": split,
        "labels": _names(label_columns),
        "features": _names(feature_columns),
        "layer": layer,
        "missing": tuple(missing) if missing else None,
        "label_file": _text(label_file),
        "data_dir": _text(data_dir),
        "download": download or None,
        "max_rows": max_rows,
        "skip_bad": skip_bad or None,
        "streaming": streaming or None,
        "groups": _text(groups),
        "cache": False if no_cache else None,
    }
    return {name: value for name, value in typed.items() if value is not None}


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose argument is ``data``, these options; it finds those that were typed in ``given``."""
    own = inspect.signature(command).parameters
    options = inspect.signature(_gather).parameters

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        given = _gather(**{name: values.pop(name) for name in options})
        if values["data"] == "":  # what a shell makes of a variable that is not set
            raise UsageError("DATA is empty: name what to read.")
        with errors_of(values["data"]):
            command(**values, given=given)

    parameters = [*(p for p in own.values() if p.name != "given"), *options.values()]
    hints = get_type_hints(command, include_extras=True) | get_type_hints(_gather, include_extras=True)
    hints = {p.name: hints[p.name] for p in parameters}
    typed = [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    with_options.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]  # what typer reads
    with_options.__annotations__ = {**hints, "return": None}
    return with_options


def _names(texts: list[str] | None) -> tuple[str, ...] | None:
    if not texts:  # what was not typed
        return None
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def _text(path: Path | None) -> str | None:
    """A path as it is found from any folder, since a run keeps it."""
    return None if path is None else str(path.absolute())
