"""The page of speed keeps what another machine found when it is written on a new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from speed.machines import NAME, keep, table

COMMIT = "a" * 40


def run_of(processor: str, ratio: float) -> dict[str, Any]:
    spread = {"median": ratio, "least": ratio, "most": ratio}
    fits = ["fit, published recipe" + kind for kind in ("", ", fast", ", fast, compiled")]
    return {
        "commit": COMMIT,
        "machine": {"processor": processor},
        "training": {base: dict.fromkeys(fits, spread) for base in ("over_floor", "over_plain_loop")},
        "inference": {"encode": spread},
        "streamed": {"Parquet": spread},
    }


def write(folder: Path, processor: str, ratio: float) -> None:
    keep(folder, processor)
    (folder / f"{NAME}.json").write_text(json.dumps(run_of(processor, ratio)), encoding="utf-8")


def test_a_run_on_another_processor_stands_beside_the_last_and_one_on_the_same_replaces_it(tmp_path: Path) -> None:
    write(tmp_path, "One (R)", 0.5)
    assert table(tmp_path) == []
    write(tmp_path, "Two", 0.6)
    write(tmp_path, "One (R)", 0.7)
    rows = [line for line in table(tmp_path) if COMMIT[:7] in line]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["One (R)", "Two"]
    assert "0.7 (0.7 – 0.7)" in rows[0]
    assert "0.6 (0.6 – 0.6)" in rows[1]
