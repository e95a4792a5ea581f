"""The benchmark of a GPU runs where there is none, and says what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gpu
import record
import scaling
from partedvae import compiling


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch says so of a part of itself
def test_every_loop_is_timed_and_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(compiling, "compiled", lambda function: function)
    monkeypatch.setattr(gpu, "SIDE", 8)
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "ROWS", 100)
    monkeypatch.setattr(gpu, "LOOKED_AT", 4)
    found = gpu.case(16, "bf16-mixed", n_batches=4, accelerator="cpu")
    assert list(found["steps_per_second"]) == ["floor", "plain loop", "fit", "fit, compiled"]
    assert all(rate > 0 for rate in found["steps_per_second"].values())
    assert list(found["first_epoch_seconds"]) == ["fit", "fit, compiled"]
    found["profiles"] = gpu.profiles(16, "bf16-mixed", accelerator="cpu")
    for seen in found["profiles"].values():
        assert seen.keys() == {"busy", "kernels_per_step", "most"}
        assert seen["kernels_per_step"] == 0  # of a GPU, which is not there
    whole = gpu.whole(60, "cpu")
    assert whole["seconds"] == pytest.approx(sum(whole["epochs"]), rel=0.01)
    gpu.show({"device": "cpu", "cases": [found], "whole": whole})
    assert "60 steps" in capsys.readouterr().out


TIMED = {
    "batch": 64,
    "precision": "tf32",
    "steps_per_second": {"floor": 200.0, "plain loop": 50.0, "fit": 40.0, "fit, compiled": 900.0},
}
LOOKED_AT = {**TIMED, "profiles": {"fit": {"kernels_per_step": 900.2}, "fit, compiled": {"kernels_per_step": 200.0}}}


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        ([], "is 1,000 steps a second."),
        ([TIMED], "| 900 | 18 | – |"),
        ([TIMED], "is 1,000 steps a second, 20 times the fastest plain loop"),
        ([LOOKED_AT], "| 900 | 18 | 900 → 200 |"),
    ],
)
def test_what_a_broken_off_benchmark_leaves_can_be_told(cases: list[dict[str, Any]], told: str) -> None:
    whole = {"steps": 300, "precision": "bf16-mixed", "seconds": 1.2, "epochs": [1.0, 0.1, 0.1]}
    made = {"device": "a card", "machine": {"torch": "2"}, "commit": "c", "command": "python benchmarks/gpu.py"}
    found = {**made, "cases": cases, "whole": whole}
    assert told in "\n".join(scaling.measured_on(found))


def test_a_benchmark_in_parts_is_of_one_code_and_one_gpu(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    assert gpu.begun(path, "a card", add=True) == {"device": "a card", "cases": []}
    record.write("gpu", {"device": "a card", "cases": [TIMED]}, command="first; second", folder=tmp_path)
    begun = gpu.begun(path, "a card", add=True)
    assert begun == {"device": "a card", "cases": [TIMED], "commands": ["first", "second"]}
    assert gpu.begun(path, "a card", add=False)["cases"] == []
    with pytest.raises(SystemExit, match="of the device a card, not another"):
        gpu.begun(path, "another", add=True)
