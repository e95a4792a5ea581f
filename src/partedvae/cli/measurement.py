"""How good a run is: ``evaluate`` and ``report``."""

from __future__ import annotations

from typing import Annotated

import typer

from partedvae.cli.arguments import QuietOption, RunArgument, SeedOption
from partedvae.cli.begun import plan_of_run
from partedvae.cli.errors import UsageError
from partedvae.cli.loading import load_model, model_and_data
from partedvae.cli.reading import Given, reads_data
from partedvae.cli.waiting import waiting


@reads_data
def evaluate(
    run: RunArgument,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="default: what the run held out, else half of the rows whose labels it hid"
        ),
    ] = None,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Measure what was learnt, print the table and write RUN/metrics.json.

    Accuracy and calibration; what each code tells of the class; what an independent judge sees in swaps and samples;
    and, where factors of the data are known, the measures of disentanglement.

    Examples:
    partedvae evaluate runs/digits

    partedvae evaluate runs/clothes fashion-mnist --split test
    """
    from rich.console import Console

    from partedvae import plans, runs
    from partedvae.metrics import evaluate as measure
    from partedvae.tables import evaluation_table

    model = load_model(run)
    _require_data(data, given, "the rows that the run held out are measured")
    if data is None:
        own = plans.read_plan(run)
        shown, taught = plans.judged(own)
        measured_on = "rows held out" if own.held_out else "training rows whose labels were hidden"
    else:
        measured_on = data
        _, shown = model_and_data(run, data, given, quiet)
        taught = None
        plan = plans.plan_of(run, data, given.get("split")) or plans.plan_of_equal(run, shown)
        if plan is not None and not quiet:
            kept = plan.held_out
            advice = "Without DATA those held out are measured" if kept else "Train with --holdout to keep some"
            typer.echo(
                f"Warning: {plan.n_rows - len(kept):,} rows of {data} trained this run, and what is measured "
                f"on them flatters it. {advice}.",
                err=True,
            )
    if not len(shown.labelled) and not quiet:
        typer.echo(f"Warning: no row of {measured_on} has a label: only what needs none is measured.", err=True)
    with waiting("measuring", quiet):
        found = measure(model, shown, oracle_data=taught, random_state=seed)
    if not quiet:
        Console().print(evaluation_table(found))
    runs.add_metrics(run, found, measured_on)


@reads_data
def report(
    run: RunArgument,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="where the data of the run are now, if they were moved")
    ] = None,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Write RUN/report.html and RUN/figures again from the model and the data it was trained on.

    Examples:
    partedvae report runs/digits

    partedvae report runs/photos /media/archive/photos
    """
    from partedvae import plans, runs
    from partedvae.data import located

    _require_data(data, given, "the report shows the data of the run")
    plan = plans.read_plan(run) if data is None else plan_of_run(run, located(data), given)
    model, parts = load_model(run), plans.Parts.of(plan, plan.data())
    runs.keep_plan(run, plan)
    with waiting("drawing the report", quiet):
        path = runs.report(run, model, plan, parts, runs.metrics(model, parts))
    if not quiet:
        typer.echo(f"report: {path}")


def _require_data(data: str | None, given: Given, otherwise: str) -> None:
    """That DATA is named if anything is said of how it is read.

    Raises:
        UsageError: it is not.
    """
    if data is None and given:
        from partedvae.data.reading import option_of

        raise UsageError(f"{option_of(next(iter(given)))}: is about DATA, and none is named; {otherwise}.")
