"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LARGEST_SEED = 2**63 - 1


def named(text: str) -> Path:
    """A path that was typed; an empty one, which a shell makes of a variable that is not set, would be this folder.

    Raises:
        BadParameter: it is empty.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty: name a folder.")
    return Path(text)


_DATA = (
    "a built-in (see partedvae data list), a folder of pictures (CLASS/… and unlabeled/…), a CSV or Parquet file, an "
    ".npz, .npy or .h5ad file, a folder or name (hf:NAME) of a Hugging Face data set"
)
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help=_DATA)]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="the folder that train, or PartedVAE.save, wrote")]

CsvOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE.csv", help="table to write")]
PngOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE.png", help="picture to write")]
CountOption = Annotated[int, typer.Option("-n", min=1, help="how many")]
SeedOption = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="seed of what is drawn")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="show nothing")]

LabelsOption = Annotated[int | None, typer.Option(min=1, help="keep this many labels, in the classes' proportions")]
LabelsPerClassOption = Annotated[int | None, typer.Option(min=1, help="keep this many labels of each class")]

ConfigOption = Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="settings, over those of the preset")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="one setting, as in u_dim=5; repeatable; docs/settings.md lists them"
    ),
]
