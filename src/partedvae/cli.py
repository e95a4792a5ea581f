"""The command line.

An error is a line on stderr; exit status 1 says that the work failed, 2 that the call was wrong.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from partedvae.reading_options import Given, reads_data

if TYPE_CHECKING:
    import numpy as np

    from partedvae.data import Dataset
    from partedvae.estimator import PartedVAE

app = typer.Typer(
    help="Tell what a thing is apart from how it looks, with few labels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

_DATA = (
    "a built-in (see partedvae data list), a folder of pictures (CLASS/… and unlabeled/…), a CSV or Parquet file, an "
    ".npz, .npy or .h5ad file, a folder or name (hf:NAME) of a Hugging Face data set"
)
DataArgument = Annotated[str, typer.Argument(metavar="DATA", help=_DATA)]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="the folder that train, or PartedVAE.save, wrote")]
PngOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE.png", help="picture to write")]
SeedOption = Annotated[int, typer.Option(min=0, help="seed of what is drawn")]


_INTERRUPTED, _TERMINATED = 130, 143
_SHOWN = 5_000  # of observations that are not in memory, so many are read for a grid


class UsageError(ValueError):
    """Options that do not go together."""


data_app = typer.Typer(help="What there is to read, and what would be read.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,  # read by main
) -> None:
    del debug


@app.command()
@reads_data
def train(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="RUN", help="folder to write the run to")],
    labels: Annotated[
        int | None, typer.Option(min=1, help="keep this many labels, in the classes' proportions")
    ] = None,
    labels_per_class: Annotated[int | None, typer.Option(min=1, help="keep this many labels of each class")] = None,
    holdout: Annotated[
        float, typer.Option(help="share of the labelled rows that training never sees, to test on")
    ] = 0.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes over the data")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the choice of rows and of training")] = 0,
    preset: Annotated[str, typer.Option(help="default, paper, paper-mnist, paper-dsprites, paper-celeba")] = "default",
    config: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="settings, over those of the preset")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="one setting; repeatable")
    ] = None,
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
        typer.Option(help="Lightning's precision: 32, bf16-mixed, …; auto: the fastest here that learns as well"),
    ] = None,
    logger: Annotated[str | None, typer.Option(help="csv or tensorboard; written to RUN/logs")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="show nothing")] = False,
    *,
    given: Given,
) -> None:
    """Train a model and write RUN: the model, its metrics and its report.

    Examples:
    partedvae train digits --labels-per-class 5 --holdout 0.2 --out runs/digits

    partedvae train photos/ --size 64 --out runs/photos

    partedvae train fashion-mnist --size 32 --labels 256 --preset paper-mnist --out runs/fashion
    """
    from partedvae import runs
    from partedvae.data import Reading, load, located
    from partedvae.settings import gather

    if labels is not None and labels_per_class is not None:
        raise UsageError("--labels and --labels-per-class exclude each other.")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    runs.check_free(out, resume, overwrite)
    data = located(data)
    options = _trainer_options(out, accelerator, devices, num_nodes, strategy, precision, logger)
    if resume:
        plan = runs.read_plan(out)
        if plan.source != data:
            raise UsageError(f"--resume: {out} was trained on {plan.source}, not on {data}.")
        fixed = {
            "--labels": labels, "--labels-per-class": labels_per_class, "--holdout": holdout, "--epochs": epochs,
            "--seed": seed, "--config": config, "--set": set_, "--preset": preset != "default",
        }  # fmt: skip
        changed = [option for option, value in fixed.items() if value]
        if changed:
            raise UsageError(f"--resume: goes on as the run was begun; leave out {changed[0]}.")
        other = [name for name, value in Reading(**given) if name in given and value != getattr(plan.reading, name)]
        if other:
            raise UsageError(f"--resume: {out} was begun with {other[0]}={getattr(plan.reading, other[0])!r}.")
        dataset = plan.data()
    else:
        settings = gather(preset, config, set_ or [], {"max_epochs": epochs, "random_state": seed})
        reading = Reading(**given)
        dataset = load(data, reading)
        choice = runs.Choice(labels, labels_per_class, holdout, seed)
        with warnings.catch_warnings(record=True) as said:
            warnings.filterwarnings("always", message="--holdout")
            plan = runs.make_plan(data, reading, dataset, choice, settings)
        for warning in () if quiet else said:
            typer.echo(f"Warning: {warning.message}", err=True)
    if not quiet:
        _say_what_is_wrong(dataset.with_labels_of(plan.labelled))
    figures = runs.train(
        out,
        plan,
        dataset,
        resume=resume,
        verbose=not quiet,
        trainer_options=options,
        checkpoint_minutes=checkpoint_minutes,
    )
    if figures and not quiet:
        if "test_accuracy" in figures:
            typer.echo(
                f"test accuracy {figures['test_accuracy']:.4f} on {figures['n_test']} rows that training never saw"
            )
        typer.echo(f"report: {out / runs.REPORT}")


@app.command()
@reads_data
def tune(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="STUDY", help="folder of the study; one that is there is gone on with")],
    trials: Annotated[int, typer.Option(min=1, help="how many more")] = 20,
    search: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=…", help="a setting to search: KEY=LOW:HIGH, or KEY=ONE,TWO,…; repeatable"),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="a database that several machines share, as Optuna names it: postgresql://…")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(min=1, help="keep this many labels, in the classes' proportions")
    ] = None,
    labels_per_class: Annotated[int | None, typer.Option(min=1, help="keep this many labels of each class")] = None,
    holdout: Annotated[float, typer.Option(help="share of the labelled rows that trials are judged on")] = 0.2,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes over the data in each trial")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the choice of rows, of training and of the search")] = 0,
    preset: Annotated[str, typer.Option(help="settings that are not searched")] = "default",
    config: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="settings, over those of the preset")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="one setting; repeatable")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="show nothing")] = False,
    *,
    given: Given,
) -> None:
    """Search for settings: trials judged on held-out rows by the NLL of their labels and by what z tells of them.

    Leaves STUDY/best.yaml for train --config, and STUDY/trials.csv. Trials worse than most are stopped early. What is
    searched by default: the learning rate, gamma_zc, gamma_swap and the capacities.

    Examples:
    partedvae tune digits --labels-per-class 5 --trials 30 --out studies/digits

    partedvae tune digits --search lr=1e-4:1e-2 --search z_dim=4,6,10 --out studies/digits
    """
    from partedvae import runs
    from partedvae.data import Reading, load, located
    from partedvae.data.extras import require
    from partedvae.settings import gather

    if labels is not None and labels_per_class is not None:
        raise UsageError("--labels and --labels-per-class exclude each other.")
    require("optuna", "tune", "partedvae tune")
    from partedvae import tuning

    space = tuning.read_space(search or tuning.SPACE)
    settings = gather(preset, config, set_ or [], {"max_epochs": epochs, "random_state": seed})
    data, reading = located(data), Reading(**given)
    dataset = load(data, reading)
    plan = runs.make_plan(data, reading, dataset, runs.Choice(labels, labels_per_class, holdout, seed), settings)
    parts = runs.Parts.of(plan, dataset)
    study = tuning.search(out, parts.training, parts.held_out, settings, space, trials, storage, verbose=not quiet)
    if not quiet:
        found = study.best_trial
        typer.echo(
            f"best of {len(study.trials)} trials: NLL {found.user_attrs['nll']:.4f} nats, z leakage "
            f"{found.user_attrs['leakage']:.4f}, on {len(parts.held_out)} rows"
        )
        typer.echo(f"settings: {out / tuning.BEST} (train --config)")


@app.command()
@reads_data
def predict(
    run: RunArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.csv", help="table to write")],
    *,
    given: Given,
) -> None:
    """Write a table: id, label, confidence, one probability a class, and novelty (nats; high is unlike the training).

    Example: partedvae predict runs/digits digits -o predictions.csv
    """
    from partedvae.persistence import write_whole
    from partedvae.tables import prediction_rows, write_csv

    target = _writable(output)
    model, dataset = _model_and_data(run, data, given)
    header, rows = prediction_rows(model, dataset)
    write_whole(target, lambda path: write_csv(path, header, rows))


@app.command()
@reads_data
def encode(
    run: RunArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.npz", help="arrays to write")],
    *,
    given: Given,
) -> None:
    """Write c (class probabilities, attributes side by side), u, z and ids of every observation.

    Example: partedvae encode runs/digits digits -o codes.npz
    """
    import numpy as np

    from partedvae.persistence import write_whole

    target = _writable(output, ".npz")
    model, dataset = _model_and_data(run, data, given)
    codes = model.encode(dataset)
    c = np.concatenate(codes.c, axis=1) if isinstance(codes.c, list) else codes.c
    ids = np.array(list(dataset.ids))
    write_whole(target, lambda path: np.savez(path, c=c, u=codes.u, z=codes.z, ids=ids))


@app.command()
def generate(
    run: RunArgument,
    output: PngOption,
    label: Annotated[
        str | None, typer.Option(help="class to draw; of several attributes ATTRIBUTE=CLASS,…; default: all")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="how many")] = 64,
    seed: SeedOption = 0,
) -> None:
    """Draw from the learned prior.

    Example: partedvae generate runs/digits --label 3 -n 64 -o threes.png
    """
    from partedvae.report.figures import picture_grid
    from partedvae.report.page import save_png
    from partedvae.tables import label_named

    target = _writable(output, ".png")
    model = _pictures(_load(run))
    chosen = None if label is None else label_named(model, label)
    samples = model.sample(n, chosen, random_state=seed)
    save_png(target, picture_grid(_in_rows(samples)))


@app.command()
@reads_data
def swap(
    run: RunArgument,
    data: DataArgument,
    output: PngOption,
    styles: Annotated[int, typer.Option(min=1, help="columns of the grid")] = 10,
    seed: SeedOption = 0,
    *,
    given: Given,
) -> None:
    """Draw a grid: what the pictures on the left show, in the style of the pictures on top.

    Example: partedvae swap runs/digits digits -o swap.png
    """
    from partedvae.report.page import save_png
    from partedvae.report.sections import Subject, swap_figure

    target = _writable(output, ".png")
    model, dataset = _model_and_data(run, data, given)
    subject = Subject.of(_pictures(model), _few(dataset), unseen=False)
    save_png(target, swap_figure(subject, n_styles=styles, seed=seed))


@app.command()
@reads_data
def traverse(
    run: RunArgument,
    data: DataArgument,
    output: PngOption,
    code: Annotated[str, typer.Option(help="u or z")] = "z",
    row: Annotated[int, typer.Option(min=0, help="the observation to start from")] = 0,
    *,
    given: Given,
) -> None:
    """Draw one observation with each dimension of a code moved, one a row.

    Example: partedvae traverse runs/digits digits --code u -o traversal.png
    """
    from partedvae.report.page import save_png
    from partedvae.report.sections import traversal_figure

    target = _writable(output, ".png")
    model, dataset = _model_and_data(run, data, given)
    if code not in ("u", "z"):
        raise UsageError(f"--code {code}: should be u or z.")
    if row >= len(dataset):
        raise UsageError(f"--row {row}: {data} has {len(dataset)} rows, counted from 0.")
    if code == "z" and not model.net_.partition.z_dim:
        raise UsageError("--code z: this model has no z (z_dim=0).")
    save_png(target, traversal_figure(_pictures(model), dataset.take([row]).array, code))


@app.command()
@reads_data
def evaluate(
    run: RunArgument,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="default: the rows that the run held out; else as for train")
    ] = None,
    seed: SeedOption = 0,
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

    from partedvae import runs
    from partedvae.metrics import evaluate as measure
    from partedvae.tables import evaluation_table

    model = _load(run)
    if data is None:
        shown, taught = runs.judged(runs.read_plan(run))
    else:
        _, shown = _model_and_data(run, data, given)
        taught = None
        trained = runs.n_trained_on(run, data, given.get("split"))
        if trained:
            typer.echo(
                f"Warning: {trained:,} rows of {data} trained this run, and what is measured on them flatters it. "
                "Without DATA the rows that it held out are measured.",
                err=True,
            )
    found = measure(model, shown, oracle_data=taught, random_state=seed)
    runs.add_metrics(run, found, "rows that training did not see" if data is None else data)
    Console().print(evaluation_table(found))


@app.command()
@reads_data
def suggest(
    run: RunArgument,
    data: DataArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.csv", help="table to write")],
    n: Annotated[int, typer.Option("-n", min=1, help="how many")] = 20,
    seed: SeedOption = 0,
    *,
    given: Given,
) -> None:
    """Write the observations most worth labelling next: rank, id, and the label that the model would give.

    Example: partedvae suggest runs/digits digits -n 20 -o to_label.csv
    """
    from partedvae.persistence import write_whole
    from partedvae.tables import suggestion_rows, write_csv

    target = _writable(output)
    model, dataset = _model_and_data(run, data, given)
    header, rows = suggestion_rows(model, dataset, n, seed)
    write_whole(target, lambda path: write_csv(path, header, rows))


@app.command()
def report(run: RunArgument) -> None:
    """Write RUN/report.html and RUN/figures again from the model and the data it was trained on.

    Example: partedvae report runs/digits
    """
    from partedvae import runs

    plan = runs.read_plan(run)
    model, parts = _load(run), runs.Parts.of(plan, plan.data())
    path = runs.report(run, model, plan, parts, runs.metrics(model, parts))
    typer.echo(f"report: {path}")


@data_app.command("list")
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


@data_app.command("describe")
@reads_data
def data_describe(data: DataArgument, *, given: Given) -> None:
    """Say what would be read: how many observations of which shape, labels by class, duplicates, and problems.

    Example: partedvae data describe digits
    """
    from partedvae.data import load
    from partedvae.data.describe import describe

    dataset = load(data, **{"skip_bad": True, **given})
    for line in describe(data, dataset):
        typer.echo(line)


@data_app.command("show")
@reads_data
def data_show(data: DataArgument, output: PngOption, seed: SeedOption = 0, *, given: Given) -> None:
    """Draw some observations of each class, or for features their two widest directions.

    Example: partedvae data show digits -o digits.png
    """
    from partedvae.data import load
    from partedvae.report.glance import glance
    from partedvae.report.page import save_png

    save_png(_writable(output, ".png"), glance(load(data, **given), seed))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; the one place where errors become lines and exit statuses."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in words
    try:
        with warnings.catch_warnings():
            # The columns of a file are chosen by the names that the model knows, then handed on as arrays.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            warnings.showwarning = _say
            app(args=words)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"partedvae: {message}\n")
        sys.exit(_status(error))
    except Exception as error:  # of a library, such as an accelerator that is not there
        if debug:
            raise
        message = " ".join(str(error).split())
        sys.stderr.write(f"partedvae: {type(error).__name__}: {message} (--debug shows where)\n")
        sys.exit(1)
    except SystemExit as left:
        if left.code in (_INTERRUPTED, _TERMINATED):  # typer has turned Ctrl-C into the first
            sys.stderr.write("partedvae: stopped. train --resume goes on from the last checkpoint.\n")
        raise
    sys.exit(0)


def _say(
    message: Warning | str, category: object, filename: str, lineno: int, file: object = None, line: object = None
) -> None:
    """A warning as a line, without the place in the program that it comes from."""
    del category, filename, lineno, file, line
    sys.stderr.write(f"Warning: {message}\n")


def _status(error: Exception) -> int:
    """2 if the call was wrong, 1 if the work failed: a file, the data, the machine."""
    from partedvae.checkpoints import DamagedCheckpointError
    from partedvae.data import DataError
    from partedvae.persistence import ModelFileError

    if not isinstance(error, ValueError):
        return 1
    if isinstance(error, DataError) and not str(error).startswith("--"):
        return 1
    return 1 if isinstance(error, ModelFileError | DamagedCheckpointError) else 2


def _trainer_options(
    out: Path,
    accelerator: str,
    devices: str | None,
    num_nodes: int | None,
    strategy: str | None,
    precision: str | None,
    logger: str | None,
) -> dict[str, Any]:
    loggers = {None: None, "csv": "CSVLogger", "tensorboard": "TensorBoardLogger"}
    if logger not in loggers:
        raise UsageError(f"--logger {logger}: should be csv or tensorboard.")
    options: dict[str, Any] = {"accelerator": accelerator}
    if devices is not None:
        _check_processes(accelerator, devices)
        options["devices"] = int(devices) if devices.isdigit() else devices
    if num_nodes is not None:
        options["num_nodes"] = num_nodes
    if strategy is not None:
        options["strategy"] = strategy
    if precision is not None:
        options["precision"] = int(precision) if precision.isdigit() else precision
    if logger is not None:
        from lightning.pytorch import loggers as kinds

        from partedvae import runs

        options["logger"] = getattr(kinds, loggers[logger] or "")(out, name=runs.LOGS)
    return options


def _check_processes(accelerator: str, devices: str) -> None:
    """On processors Lightning starts as many processes as it is told, and more than there are only wait."""
    import os

    import torch

    processors = os.cpu_count() or 1
    on_processors = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    if on_processors and devices.isdigit() and not 1 <= int(devices) <= processors:
        raise UsageError(f"--devices {devices}: should be between 1 and {processors}, the processors of this machine.")


def _load(run: Path) -> PartedVAE:
    from partedvae.estimator import PartedVAE

    return PartedVAE.load(run)


def _model_and_data(run: Path, data: str, given: Given) -> tuple[PartedVAE, Dataset]:
    """A model, and DATA as the model knows it: pictures at its size, brought there as in training, its features."""
    from partedvae import runs
    from partedvae.data import load

    model = _load(run)
    shape, names = model.layout_.tensor_shape, getattr(model, "feature_names_in_", None)
    known: Given = {
        "size": (shape[1], shape[2]) if model.layout_.kind in ("grey", "channels_last") else None,
        "features": None if names is None else tuple(names),
        "pad": (run / runs.RUN).exists() and runs.read_plan(run).reading.pad,
    }
    dataset = load(data, **{**known, **given})
    for name, reason in dataset.skipped:
        typer.echo(f"left out: {name}: {reason}", err=True)
    return model, dataset


def _few(data: Dataset) -> Dataset:
    """A data set that fits into memory: a choice of the rows if they are not there yet."""
    from partedvae.data.lazy import in_memory
    from partedvae.data.subsets import random_rows

    return data if in_memory(data.x) else data.take(random_rows(len(data), _SHOWN))


def _say_what_is_wrong(data: Dataset) -> None:
    from partedvae.data.conflicts import labelled_conflicts

    if data.skipped:
        typer.echo(f"left out: {len(data.skipped)} that cannot be read; see skipped.csv in the run", err=True)
    conflicts = labelled_conflicts(data)
    if conflicts:
        groups = "; ".join(" = ".join(group[:4]) for group in conflicts[:3])
        typer.echo(
            f"labels that contradict each other: {len(conflicts)} groups of equal observations, such as {groups}",
            err=True,
        )


def _pictures(model: PartedVAE) -> PartedVAE:
    if model.layout_.kind == "features":
        raise UsageError("This model was trained on features, not on pictures: there is nothing to draw.")
    return model


def _in_rows(pictures: np.ndarray, per_row: int = 8) -> list[list[np.ndarray]]:
    return [list(pictures[start : start + per_row]) for start in range(0, len(pictures), per_row)]


def _writable(path: Path, suffix: str | None = None) -> Path:
    if suffix is not None and path.suffix.lower() != suffix:
        raise UsageError(f"-o {path}: should end in {suffix}, which is what is written.")
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder; a file is needed.")
    return path


if __name__ == "__main__":
    main()
