"""Settings as they are typed: a preset, a YAML file, single options, each over the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from partedvae.config import Config, preset
from partedvae.yaml_text import from_yaml


class SettingError(ValueError):
    """A setting that cannot be read; the message names the file or the option."""


def gather(preset_name: str, file: Path | None, assignments: Sequence[str], options: Mapping[str, Any]) -> Config:
    """The configuration of a preset, changed by a YAML file, then by ``key=value``, then by options that are given.

    A run has a seed, 0 if none of them names another.

    Raises:
        SettingError, ValueError: names the file, the option or the setting at fault.

    >>> gather("paper-mnist", None, ["u_dim=3"], {"max_epochs": 5, "lr": None}).u_dim
    3
    """
    settings = typed(preset_name, file, assignments, options)
    if settings.get("random_state") is None:
        settings["random_state"] = 0  # so that a run can be repeated
    return Config.checked(settings)


def typed(
    preset_name: str, file: Path | None, assignments: Sequence[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that are named, and no others; not all of them need go together.

    Raises:
        SettingError: names the file or the option at fault.

    >>> typed("default", None, ["u_dim=3"], {"max_epochs": 5, "lr": None})
    {'u_dim': 3, 'max_epochs': 5}
    """
    try:
        settings: dict[str, Any] = dict(preset(preset_name))
    except ValueError as error:
        raise SettingError(f"--preset {preset_name}: {error}") from None
    if file is not None:
        settings |= _read(file)
        _check(settings, f"--config {file}")
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise SettingError(f"--set {assignment}: should be key=value, as in --set u_dim=5.")
        option = f"--set {assignment}"
        settings[name.strip()] = parse_value(value, option)
        _check(settings, option)
    return settings | {name: value for name, value in options.items() if value is not None}


def _check(settings: Mapping[str, Any], source: str) -> None:
    """Refuse what a source of settings made of them, by its name."""
    try:
        Config.checked(settings)
    except ValueError as error:
        raise SettingError(f"{source}: {error}") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = from_yaml(file.read_text(encoding="utf-8"), called=file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"--config {file}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise SettingError(f"--config {file}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SettingError(f"--config {file}: should hold settings, one a line, as in u_dim: 5.")
    for name in content:
        if not isinstance(name, str):
            raise SettingError(f"--config {file}: {name!r} is no setting; settings are named, as in u_dim: 5.")
    return content


def parse_value(text: str, option: str) -> Any:
    """What is typed for a setting: a number, true or false, a list, a word.

    Raises:
        SettingError: names ``option``.

    >>> parse_value("1e-3", "--set lr"), parse_value("true", "--set attention")
    (0.001, True)
    """
    try:
        value = from_yaml(text)
    except yaml.YAMLError:
        raise SettingError(f"{option}: the value cannot be read.") from None
    if isinstance(value, str):
        try:  # YAML takes 1e-3 for text
            return float(value)
        except ValueError:
            return value
    return value
