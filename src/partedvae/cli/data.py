"""``partedvae data``: what there is to read, and what would be read."""

from __future__ import annotations

import typer

from partedvae.cli.arguments import DataArgument, PngOption, SeedOption
from partedvae.cli.outputs import sources, writable
from partedvae.cli.reading import Given, reads_data

app = typer.Typer(help="What there is to read, and what would be read.")


@app.command("list")
def data_list() -> None:
    """List the built-in data sets.

    Example: partedvae data list
    """
    from rich.console import Console
    from rich.table import Table

    from partedvae.data import BUILTINS

    table = Table("name", "what it is", box=None, pad_edge=False)
    for name, builtin in BUILTINS.items():
        table.add_row(name, builtin.about)
    Console().print(table)


@app.command("describe")
@reads_data
def data_describe(data: DataArgument, *, given: Given) -> None:
    """Say what would be read: how many observations of which shape, labels by class, duplicates, and problems.

    Example: partedvae data describe digits
    """
    from partedvae.data import load
    from partedvae.data.describe import describe
    from partedvae.data.sources import applies

    dataset = load(data, **{**({"skip_bad": True} if applies("skip_bad", data) else {}), **given})
    for line in describe(data, dataset):
        typer.echo(line)


@app.command("show")
@reads_data
def data_show(data: DataArgument, output: PngOption, seed: SeedOption = 0, *, given: Given) -> None:
    """Draw some observations of each class, or for features their two widest directions.

    Example: partedvae data show digits -o digits.png
    """
    from partedvae.data import load
    from partedvae.report.glance import glance
    from partedvae.report.page import save_png

    save_png(writable(output, ".png", reads=sources(data, given)), glance(load(data, **given), seed))
