"""What the audit of the pinned versions says of pip-audit's answers."""

from __future__ import annotations

import json
import re
from importlib.metadata import distributions, requires
from sysconfig import get_path
from typing import Any

import pytest
from audit import verdict
from lock import ANYWHERE, BY_MACHINE, normalised, pinned
from oldest import PROJECT, oldest
from packaging.requirements import Requirement


def package(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


FOUND = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}
UNKNOWN = {"name": "private", "skip_reason": "Dependency not found on PyPI and could not be audited: private (1.0)"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([package("numpy")], 0, "1 packages looked up, 0 vulnerabilities"),
        ([package("numpy", FOUND), package("torch")], 1, "numpy 1.0: PYSEC-1; mended in 1.1"),
        ([package("numpy", {**FOUND, "fix_versions": []})], 1, "no version yet"),
        ([package("numpy"), UNKNOWN], 0, "not looked up: private"),
        ([UNKNOWN], 0, "skipped"),
    ],
)
def test_only_a_known_vulnerability_fails(packages: list[dict[str, Any]], status: int, said: str) -> None:
    found, lines = verdict(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found == status
    assert said in "\n".join(lines)


@pytest.mark.parametrize("answer", ["", "[]", "no JSON", "{}"])
def test_no_answer_is_said_and_skipped(answer: str) -> None:
    status, lines = verdict(answer, "first line\nName or service not known\n")
    assert status == 0
    assert lines == ["audit: skipped, since the database of vulnerabilities is not reached: Name or service not known"]


def test_an_audit_that_breaks_fails() -> None:
    status, lines = verdict("", "Traceback (most recent call last):\nKeyError: 'vulns'\n")
    assert (status, lines) == (1, ["audit: failed: KeyError: 'vulns'"])


def test_an_audit_that_cannot_run_fails() -> None:
    status, lines = verdict(
        "", "Traceback (most recent call last):\nModuleNotFoundError: No module named 'pip_audit'\n"
    )
    assert status == 1
    assert "make venv" in lines[0]


def test_every_version_is_pinned_once_and_every_file_that_serves_all_machines_by_its_hash() -> None:
    by_hash, by_version = (
        [line for line in path.read_text(encoding="utf-8").replace("\\\n", "").splitlines() if line[:1] != "#"]
        for path in (ANYWHERE, BY_MACHINE)
    )
    assert all(re.fullmatch(r"\S+==\S+ +--hash=sha256:[0-9a-f]{64}", line) for line in by_hash)
    assert all(re.fullmatch(r"\S+==\S+", line) for line in by_version)
    names = [line.split("==")[0] for line in by_hash + by_version]
    assert sorted(pinned()) == sorted(names)  # none is in both


def test_the_oldest_versions_are_those_that_the_project_names() -> None:
    pins = dict(pin.split("==") for pin in oldest(PROJECT.read_text(encoding="utf-8")))
    assert {"torch", "lightning", "scikit-learn", "datasets", "pytest"} < pins.keys()
    text = '[project]\ndependencies = ["numpy>=2.0"]\noptional-dependencies = {dev = ["x[numpy,y]", "a-b[c]>=8.3.1"]}'
    assert oldest(text) == ["numpy==2.0", "a-b==8.3.1"]


def test_what_is_installed_is_what_is_pinned() -> None:
    # Of the environment alone: setuptools, which torch's compiler imports, puts copies of its own on the path.
    places = sorted({get_path("purelib"), get_path("platlib")})
    here = {normalised(found.name): found.version.split("+")[0] for found in distributions(path=places)}
    assert {name: version for name, version in here.items() if name in pinned()} == pinned()
    # Ours, what python -m venv brings, and what the build of torch that an index gives here needs.
    given = {"partedvae", "pip", "wheel", *_needed("torch")}
    assert here.keys() - pinned().keys() <= given


def _needed(name: str) -> set[str]:
    """What a package needs, and what that needs, on this machine."""
    found, left = set(), [name]
    while left:
        for line in requires(left.pop()) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                key = normalised(needed.name)
                left += [] if key in found else [key]
                found.add(key)
    return found
