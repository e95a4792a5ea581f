"""The benchmark of a GPU runs where there is none, and says what it found."""

from __future__ import annotations

import pytest

import gpu
from partedvae import compiling


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch says so of a part of itself
def test_every_loop_is_timed_and_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(compiling, "compiled", lambda function: function)
    monkeypatch.setattr(gpu, "SIDE", 8)
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "ROWS", 100)
    found = gpu.case(16, "bf16-mixed", n_batches=4, accelerator="cpu")
    assert list(found["steps_per_second"]) == ["floor", "plain loop", "fit", "fit, compiled"]
    assert all(rate > 0 for rate in found["steps_per_second"].values())
    assert list(found["first_epoch_seconds"]) == ["fit", "fit, compiled"]
    found["profiles"] = gpu.profiles(16, "bf16-mixed", n_batches=4, accelerator="cpu")
    for seen in found["profiles"].values():
        assert seen.keys() == {"busy", "kernels_per_step", "most"}
        assert seen["kernels_per_step"] == 0  # of a GPU, which is not there
    whole = gpu.whole(60, "cpu")
    assert whole["seconds"] == pytest.approx(sum(whole["epochs"]), rel=0.01)
    gpu.show({"device": "cpu", "cases": [found], "whole": whole})
    assert "60 steps" in capsys.readouterr().out
