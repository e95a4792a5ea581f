"""Print constraints for pip: of each package that pyproject.toml names, the oldest version that it allows.

python .ci/oldest.py [NAME==VERSION …] > oldest.txt && pip install -e '.[dev]' -c oldest.txt

What is named replaces the oldest version: an index need not have that.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
_LEAST = re.compile(r"([\w.-]+)(?:\[[^\]]*\])?>=([\w.]+)")


def oldest(text: str) -> list[str]:
    r"""Pins, from the text of a pyproject.toml.

    >>> oldest('[project]\ndependencies = ["numpy>=2.0"]\noptional-dependencies = {dev = ["ruff", "pytest>=8.3"]}')
    ['numpy==2.0', 'pytest==8.3']
    """
    project = tomllib.loads(text)["project"]
    named = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    return ["==".join(found.groups()) for found in map(_LEAST.fullmatch, named) if found]


if __name__ == "__main__":
    pins = dict(pin.split("==") for pin in [*oldest(PROJECT.read_text(encoding="utf-8")), *sys.argv[1:]])
    print("\n".join(map("==".join, pins.items())))
