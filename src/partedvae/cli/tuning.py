"""``partedvae tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partedvae.cli.arguments import (
    LARGEST_SEED,
    ConfigOption,
    DataArgument,
    LabelsOption,
    LabelsPerClassOption,
    QuietOption,
    SetOption,
    named,
)
from partedvae.cli.errors import check_exclusive
from partedvae.cli.outputs import check_apart
from partedvae.cli.reading import Given, reads_data


@reads_data
def tune(
    data: DataArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="STUDY", parser=named, help="folder of the study; one that is there is gone on with"
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="how many more")] = 20,
    search: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=…", help="a setting to search: KEY=LOW:HIGH, or KEY=ONE,TWO,…; repeatable"),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="a database that several machines share, as Optuna names it: postgresql://…")
    ] = None,
    labels: LabelsOption = None,
    labels_per_class: LabelsPerClassOption = None,
    holdout: Annotated[float, typer.Option(help="share of the labelled rows that trials are judged on")] = 0.2,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes over the data in each trial")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="seed of the choice of rows, of training and of the search; default: random_state, or 0",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="settings that are not searched")] = "default",
    config: ConfigOption = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Search for settings: trials judged on held-out rows by the NLL of their labels and by what z tells of them.

    Leaves STUDY/best.yaml for train --config, and STUDY/trials.csv. Trials whose NLL is worse than that of most are
    stopped early. What is searched by default: the learning rate, gamma_zc, gamma_swap and u_capacity. Reconstructions
    do not count in the score: read the mse of trials beside it.

    Examples:
    partedvae tune digits --labels-per-class 5 --trials 30 --out studies/digits

    partedvae tune digits --search lr=1e-4:1e-2 --search z_dim=4,6,10 --out studies/digits
    """
    from partedvae import plans
    from partedvae.data import Reading, load, located
    from partedvae.data.extras import require
    from partedvae.settings import gather

    check_exclusive({"--labels": labels, "--labels-per-class": labels_per_class})
    require("optuna", "tune", "partedvae tune")
    from partedvae import tuning

    space = tuning.read_space(search or tuning.SPACE)
    if (of_z := tuning.forgets(space)) is not None and not quiet:
        typer.echo(
            f"--search {of_z}: a z that carries less tells less. Compare the mse in {out / tuning.TRIALS}.", err=True
        )
    settings = gather(preset, config, set_ or [], {"max_epochs": epochs, "random_state": seed})
    check_apart("--out", out, Path(data))
    data, reading = located(data), Reading(**given)
    dataset = load(data, reading)
    plan = plans.make_plan(data, reading, dataset, plans.Choice(labels, labels_per_class, holdout), settings)
    parts = plans.Parts.of(plan, dataset)
    try:
        study = tuning.search(out, parts.training, parts.held_out, settings, space, trials, storage, verbose=not quiet)
    except (KeyboardInterrupt, SystemExit):
        best = out / tuning.BEST
        so_far = f"{best} has the best settings so far. " if best.exists() else ""
        typer.echo(f"{so_far}The same command goes on with the study.", err=True)
        raise
    if not quiet:
        found = study.best_trial
        typer.echo(
            f"best of {tuning.n_ended(study)} trials: NLL {found.user_attrs['nll']:.4f} nats, z leakage "
            f"{found.user_attrs['leakage']:.4f}, mse {found.user_attrs['mse']:.4f}, on {len(parts.held_out)} rows"
        )
        typer.echo(f"settings: {out / tuning.BEST} (train --config)")
