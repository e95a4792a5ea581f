"""Write the pinned set-up anew: what one file serves on every machine with its hash, the rest by version.

    python .ci/lock.py [NAME==VERSION …]

Without arguments the pins stay what they are and only hashes are looked up; a pin that is named replaces that of the
same name, or is added. Needs pip in the environment that runs it, and an index that it can reach.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ANYWHERE, BY_MACHINE = ROOT / "requirements-any.txt", ROOT / "requirements.txt"
_ONE_FOR_ALL = "-none-any.whl"
_HEADS = {
    ANYWHERE: """\
# The exact set-up that the tests run with, first part: packages whose one file serves every machine, with its hash.
# Made by .ci/lock.py. pip install --require-hashes --no-deps -r requirements-any.txt
""",
    BY_MACHINE: """\
# The exact set-up that the tests run with, second part: packages with a file for each kind of machine.
# Made by .ci/lock.py. torch: a CPU build where pip is pointed at one; elsewhere the platform's default.
""",
}


def main() -> None:
    """Download, look, and write both files."""
    asked = (pin.split("==") for pin in sys.argv[1:])
    pins = dict(sorted({**pinned(), **{normalised(name): version for name, version in asked}}.items()))
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        wanted = [f"{name}=={version}" for name, version in pins.items()]
        subprocess.run([*command, "--dest", place, *wanted], check=True)
        hashes = {
            normalised(path.name.split("-")[0]): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(place).glob(f"*{_ONE_FOR_ALL}")
        }
    lines: dict[Path, list[str]] = {path: [] for path in _HEADS}
    for name, version in pins.items():
        if name in hashes:
            lines[ANYWHERE] += [f"{name}=={version} \\", f"    --hash=sha256:{hashes[name]}"]
        else:
            lines[BY_MACHINE].append(f"{name}=={version}")
    for path, head in _HEADS.items():
        path.write_text(head + "\n".join(lines[path]) + "\n", encoding="utf-8")


def pinned() -> dict[str, str]:
    """Versions by normalised name, of both files."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in _HEADS if path.exists())
    return {normalised(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.MULTILINE)}


def normalised(name: str) -> str:
    """A package's name as an index compares it.

    >>> normalised("ruamel_yaml.Clib")
    'ruamel-yaml-clib'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
