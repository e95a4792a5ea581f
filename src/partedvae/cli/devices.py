"""What Lightning's trainer is told: the machine's devices, precision, where to log."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partedvae.cli.errors import UsageError

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def trainer_options(
    out: Path,
    accelerator: str,
    devices: str | None,
    num_nodes: int | None,
    strategy: str | None,
    precision: str | None,
    logger: str | None,
) -> dict[str, Any]:
    """Arguments of Lightning's trainer, from the options that were typed.

    Raises:
        UsageError: there is no such logger or its library is missing, there are fewer processors than ``devices``,
            Lightning refuses an option, or nothing tells several machines of each other.
    """
    loggers = {None: None, "csv": "CSVLogger", "tensorboard": "TensorBoardLogger"}
    if logger not in loggers:
        raise UsageError(f"--logger {logger}: should be csv or tensorboard.")
    if logger == "tensorboard" and not any(map(find_spec, ("tensorboardX", "tensorboard"))):
        raise UsageError("--logger tensorboard: it needs tensorboardX. pip install 'partedvae[tensorboard]'.")
    options: dict[str, Any] = {"accelerator": accelerator}
    if devices is not None:
        _check_processes(accelerator, devices)
        options["devices"] = int(devices) if devices.isdecimal() else devices
    if num_nodes is not None:
        options["num_nodes"] = num_nodes
    if strategy is not None:
        options["strategy"] = strategy
    if precision is not None:
        options["precision"] = int(precision) if precision.isdecimal() else precision
    _ask_lightning(options)
    if logger is not None:
        from lightning.pytorch import loggers as kinds

        from partedvae import runs

        options["logger"] = getattr(kinds, loggers[logger] or "")(out, name=runs.LOGS)
    return options


def _ask_lightning(options: Mapping[str, Any]) -> None:
    """Give a trainer one option after the other, since what Lightning says of one that it refuses may not name it."""
    typed = {name: value for name, value in options.items() if value != "auto"}
    if not typed:
        return
    from lightning.pytorch import Trainer

    from partedvae import processes
    from partedvae.fitting import quiet_lightning

    asked: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    for name, value in typed.items():
        asked[name] = value
        try:
            with quiet_lightning(), warnings.catch_warnings(action="ignore"):  # which the real one will say
                trainer = Trainer(**processes.placed(asked))
        except Exception as error:
            said = " ".join(str(error).split())
            raise UsageError(f"--{name.replace('_', '-')} {value}: {said}") from error
    _check_machines(trainer)


def _check_machines(trainer: Trainer) -> None:
    """Machines that nothing tells of each other would wait for ever."""
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment

    alone = isinstance(getattr(trainer.strategy, "cluster_environment", None), LightningEnvironment)
    if trainer.num_nodes > 1 and alone and not os.environ.keys() >= {"MASTER_ADDR", "NODE_RANK"}:
        raise UsageError(
            f"--num-nodes {trainer.num_nodes}: nothing tells the machines of each other. Start the command on each by "
            "torchrun or SLURM, or set MASTER_ADDR, MASTER_PORT and NODE_RANK there."
        )


def _check_processes(accelerator: str, devices: str) -> None:
    """On processors Lightning starts as many processes as it is told, and more than there are only wait."""
    import torch

    processors = os.cpu_count() or 1
    on_processors = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    if on_processors and devices.isdecimal() and not 1 <= int(devices) <= processors:
        raise UsageError(f"--devices {devices}: should be between 1 and {processors}, the processors of this machine.")
