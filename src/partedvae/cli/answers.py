"""What a model says of observations: ``predict``, ``encode`` and ``suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partedvae.cli.arguments import CountOption, CsvOption, DataArgument, QuietOption, RunArgument, SeedOption
from partedvae.cli.loading import model_and_data
from partedvae.cli.outputs import TEXT, sources, writable
from partedvae.cli.reading import Given, reads_data
from partedvae.cli.waiting import waiting


@reads_data
def predict(
    run: RunArgument, data: DataArgument, output: CsvOption, quiet: QuietOption = False, *, given: Given
) -> None:
    """Write a table: id, label, confidence, one probability a class, and novelty (nats; high is unlike the training).

    Example: partedvae predict runs/digits digits -o predictions.csv
    """
    from partedvae.persistence import write_whole
    from partedvae.tables import prediction_rows, write_csv

    target = writable(output, *TEXT, run=run, reads=sources(data, given))
    model, dataset = model_and_data(run, data, given, quiet, with_labels=False)
    with waiting("predicting", quiet):
        header, rows = prediction_rows(model, dataset)
        write_whole(target, lambda path: write_csv(path, header, rows))


@reads_data
def encode(
    run: RunArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.npz", help="arrays to write")],
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Write c (class probabilities, attributes side by side), u, z and ids of every observation.

    Example: partedvae encode runs/digits digits -o codes.npz
    """
    import numpy as np

    from partedvae.persistence import write_whole

    target = writable(output, ".npz", run=run, reads=sources(data, given))
    model, dataset = model_and_data(run, data, given, quiet, with_labels=False)
    with waiting("encoding", quiet):
        codes = model.encode(dataset)
    c = np.concatenate(codes.c, axis=1) if isinstance(codes.c, list) else codes.c
    ids = np.array(list(dataset.ids))

    def write(path: Path) -> None:
        with path.open("wb") as file:  # savez would give a name of its own to .NPZ
            np.savez(file, c=c, u=codes.u, z=codes.z, ids=ids)

    write_whole(target, write)


@reads_data
def suggest(
    run: RunArgument,
    data: DataArgument,
    output: CsvOption,
    n: CountOption = 20,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Write which observations to label next, the most helpful first: rank, id, and the label the model would give.

    Those that miss no label are left out. If DATA is what the run was trained on, it is read as it was then, and what
    was held out is left out too; where every observation has its label, only those labels count that the run learned.

    Example: partedvae suggest runs/digits digits -n 20 -o to_label.csv
    """
    from partedvae import plans
    from partedvae.persistence import write_whole
    from partedvae.supervision import with_labels_of_model
    from partedvae.tables import suggestion_rows, write_csv

    target = writable(output, *TEXT, run=run, reads=sources(data, given))
    plan = plans.plan_of(run, data, given.get("split"))
    as_trained = {} if plan is None else plan.reading.model_dump(exclude_defaults=True)
    model, dataset = model_and_data(run, data, {**as_trained, **given}, quiet)
    plan = plan or plans.plan_of_equal(run, dataset)
    dataset = plans.still_to_label(plan, with_labels_of_model(dataset, model.attributes_))
    if dataset.complete.all() and not quiet:
        typer.echo(f"All of {data} is labelled; this is what would be asked for first if none of it was.", err=True)
    with waiting("choosing", quiet):
        header, rows = suggestion_rows(model, dataset, n, seed)
    write_whole(target, lambda path: write_csv(path, header, rows))
