"""``partedvae train``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from partedvae.cli.begun import plan_of_run, require_same
from partedvae.cli.devices import trainer_options
from partedvae.cli.errors import check_exclusive
from partedvae.cli.outputs import check_apart
from partedvae.cli.reading import Given, reads_data

if TYPE_CHECKING:
    from partedvae.config import Config
    from partedvae.data import Dataset
    from partedvae.plans import Choice, Plan


@reads_data
def train(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", parser=named, help="folder to write the run to")],
    labels: LabelsOption = None,
    labels_per_class: LabelsPerClassOption = None,
    holdout: Annotated[
        float, typer.Option(help="share of the labelled rows that training never sees, to test on")
    ] = 0.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes over the data")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=LARGEST_SEED, help="seed of the choice of rows and of training; default: random_state, or 0"
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="default, paper, paper-mnist, paper-dsprites, paper-celeba")] = "default",
    config: ConfigOption = None,
    set_: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run in RUN from its last checkpoint")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a run that RUN holds")] = False,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, help="between checkpoints, where an epoch is longer; 0: after every step")
    ] = 10.0,
    accelerator: Annotated[str, typer.Option(help="Lightning's accelerator: auto, cpu, gpu, …")] = "auto",
    devices: Annotated[str | None, typer.Option(help="Lightning's devices: a number, a list, or auto")] = None,
    num_nodes: Annotated[int | None, typer.Option(min=1, help="machines")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Lightning's strategy for several devices; default: ddp, with what it must know")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Lightning's precision: 32, bf16-mixed, …; auto: the fastest here"),
    ] = None,
    compile_: Annotated[
        bool,
        typer.Option("--compile", help="let torch compile the step, which takes up to a minute; meant for GPUs"),
    ] = False,
    logger: Annotated[str | None, typer.Option(help="csv or tensorboard; written to RUN/logs")] = None,
    quiet: QuietOption = False,
    *,
    given: Given,
) -> None:
    """Train a model and write RUN: the model, its metrics and its report.

    Examples:
    partedvae train digits --labels-per-class 5 --holdout 0.2 --out runs/digits

    partedvae train photos/ --size 64 --out runs/photos

    partedvae train fashion-mnist --split train --size 32 --labels 256 --preset paper-mnist --out runs/fashion
    """
    from partedvae import plans, runs
    from partedvae.data import located
    from partedvae.settings import gather, typed

    check_exclusive({"--labels": labels, "--labels-per-class": labels_per_class})
    check_exclusive({"--resume": resume, "--overwrite": overwrite})
    runs.check_free(out, resume, overwrite)
    check_apart("--out", out, Path(data))
    data = located(data)
    options = {
        **trainer_options(out, accelerator, devices, num_nodes, strategy, precision, logger),
        "compile": compile_,
    }
    choice = plans.Choice(labels, labels_per_class, holdout)
    named = preset, config, set_ or [], {"max_epochs": epochs, "random_state": seed}
    if resume:
        plan = _plan_begun(out, data, given, choice, typed(*named))
        dataset = plan.data()
    else:
        plan, dataset = _new_plan(data, given, choice, gather(*named), quiet)
    if not quiet:
        _say_what_is_learned(dataset, plan)
        _say_what_is_wrong(dataset.with_labels_of(plan.labelled))
    try:
        with runs.alone_in_run(out):
            figures = runs.train(
                out,
                plan,
                dataset,
                resume=resume,
                verbose=not quiet,
                trainer_options=options,
                checkpoint_minutes=checkpoint_minutes,
            )
    except (KeyboardInterrupt, SystemExit):
        if runs.can_go_on(out):
            typer.echo(f"partedvae train {data} --out {out} --resume goes on from the last checkpoint.", err=True)
        raise
    if figures and not quiet:
        if "test_accuracy" in figures:
            ends = [f"{figures[name]:.3f}" for name in runs.ENDS if name in figures]
            within = f" (95 % interval {' to '.join(ends)})" if ends else ""
            what = f"{figures['n_test']} rows that training never saw"
            typer.echo(f"test accuracy {figures['test_accuracy']:.4f}{within} on {what}")
        typer.echo(f"report: {out / plans.REPORT}")


def _plan_begun(out: Path, data: str, given: Given, choice: Choice, settings: Mapping[str, Any]) -> Plan:
    """The plan of the run to go on with; what is typed again may say what was typed before.

    Raises:
        UsageError: what was typed would change it: how rows are chosen, a setting, or how DATA is read.
    """
    from partedvae.config import Config

    plan = plan_of_run(out, data, given)
    said = Config.checked({**dict(plan.settings), **settings})
    chosen = {} if plan.choice is None else vars(plan.choice)  # which earlier runs do not say
    require_same(out, ((name, value, chosen.get(name, "unknown")) for name, value in vars(choice).items() if value))
    require_same(out, ((name, getattr(said, name), getattr(plan.settings, name)) for name in settings))
    return plan


def _new_plan(data: str, given: Given, choice: Choice, settings: Config, quiet: bool) -> tuple[Plan, Dataset]:
    """The plan of a run to begin, and its data; classes that cannot be divided are warned of unless ``quiet``."""
    from partedvae import plans
    from partedvae.data import Reading, load

    reading = Reading(**given)
    dataset = load(data, reading)
    with warnings.catch_warnings(record=True) as said:
        warnings.filterwarnings("always", message="--holdout")
        plan = plans.make_plan(data, reading, dataset, choice, settings)
    for warning in () if quiet else said:
        typer.echo(f"Warning: {warning.message}", err=True)
    return plan, dataset


def _say_what_is_learned(data: Dataset, plan: Plan) -> None:
    """Which columns were taken for labels, where nobody said which are; and doubts about columns."""
    from partedvae.data.describe import counted_rows, too_many_classes

    if plan.reading.labels is None and plan.reading.label_file is None and len(data.attributes) > 1:
        found = ", ".join(f"{attribute.name} ({len(attribute.classes)} classes)" for attribute in data.attributes)
        typer.echo(f"labels: {found}; --label-columns names others", err=True)
    for doubt in counted_rows(data):
        typer.echo(doubt, err=True)
    for attribute, column in zip(data.attributes, data.codes.T, strict=True):
        for doubt in too_many_classes(attribute, column):
            typer.echo(doubt, err=True)


def _say_what_is_wrong(data: Dataset) -> None:
    """Lines on what was left out of the data, on classes that may mean unlabelled, and on contradicting labels."""
    from partedvae.data.conflicts import labelled_conflicts
    from partedvae.data.describe import doubtful_classes

    for note in data.notes:
        typer.echo(note, err=True)
    if data.skipped:
        typer.echo(f"left out: {len(data.skipped)}; skipped.csv in the run says what and why", err=True)
    for attribute in data.attributes:
        for doubt in doubtful_classes(attribute):
            typer.echo(doubt, err=True)
    conflicts = labelled_conflicts(data)
    if conflicts:
        groups = "; ".join(" = ".join(group[:4]) for group in conflicts[:3])
        typer.echo(
            f"labels that contradict each other: {len(conflicts)} groups of equal observations, such as {groups}",
            err=True,
        )
