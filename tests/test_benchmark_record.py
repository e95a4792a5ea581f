"""Runs that a benchmark has left are taken up by code of the same commit, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

import record


def test_a_run_is_kept_for_its_commit_and_not_for_changed_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[dict[str, float]] = []

    def make() -> dict[str, float]:
        made.append({"accuracy": len(made) / 2})
        return made[-1]

    def asked(commit: str, changed: bool) -> float:
        monkeypatch.setattr(record, "COMMIT", commit)
        monkeypatch.setattr(record, "CHANGED", changed)
        return float(record.kept("table/iris_0_0", make)["accuracy"])

    assert [asked("a", False), asked("a", False), asked("b", False), asked("a", False)] == [0.0, 0.0, 0.5, 0.0]
    assert [asked("a", True), asked("a", True), asked("a", False)] == [1.0, 1.5, 0.0]
