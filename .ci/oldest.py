"""Print constraints for pip: of each package that pyproject.toml names, the oldest version that it allows.

python .ci/oldest.py > oldest.txt && pip install -e '.[dev]' -c oldest.txt
"""

from __future__ import annotations

import re
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
    print("\n".join(oldest(PROJECT.read_text(encoding="utf-8"))))
