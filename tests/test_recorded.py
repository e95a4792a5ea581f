"""A step that a GPU has recorded learns what it would have learned, on a GPU if there is one."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import Adam

from partedvae import PartedVAE, compiling, recorded, training
from partedvae.augmentation import change_pictures
from partedvae.compiling import CompiledAdam, CompileError
from partedvae.extra_terms import Seen
from partedvae.recorded import Recorded
from two_batches import OF_THE_COMPILER, PUBLISHED, SETTINGS, History, assert_alike, digits

pytestmark = OF_THE_COMPILER

LONGER: dict[str, Any] = {**SETTINGS, "max_epochs": 6}
PICTURES: dict[str, Any] = {"consistency_steps": 4, "averaged_steps": 5}
FEATURES: dict[str, Any] = {"u_dim": 1, "consistency": 2.0, "consistency_steps": 4}
FALLING: dict[str, Any] = {**PUBLISHED, "lr_patience": 0}

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


class Stop(Callback):
    """An end in the middle of an epoch."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Fail after so many epochs."""
        if trainer.current_epoch == self.at - 1:
            raise InterruptedError


class Steps(Callback):
    """How many steps of optimisers Lightning has counted."""

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Look."""
        self.counted = trainer.global_step


def history(flat: bool = False, **more: Any) -> tuple[History, int]:
    options = {"accelerator": "cpu", **more.pop("trainer_options", {})}
    x, y = digits()
    steps = Steps()
    model = PartedVAE(**{**LONGER, **more}, trainer_options={**options, "callbacks": [steps]})
    return model.fit(x.reshape(len(x), -1) if flat else x, y).history_, steps.counted


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """A processor does what a recorded step would, from where a GPU would find its numbers."""
    seen: list[Recorded] = []

    class Graph: ...

    class Stream:
        def __init__(self, *_: Any) -> None: ...
        def wait_stream(self, other: Any) -> None: ...
        def synchronize(self) -> None: ...

    def record(self: Recorded) -> None:
        def replay() -> None:
            seen.append(self)
            self._found.update(self._function(self._given, self._numbers))

        monkeypatch.setattr(self._graph, "replay", replay, raising=False)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(Recorded, "_record", record)
    monkeypatch.setattr(training, "records", lambda device: True)
    monkeypatch.setattr(compiling, "compiled", lambda function: function)
    monkeypatch.setattr(compiling, "CompiledAdam", partial(Adam, fused=True))
    return seen


@pytest.mark.parametrize(
    ("chosen", "flat", "kinds"),
    # Of twelve batches of the usual size six come before some labels join, and guesses count in five.
    [(PICTURES, False, [5, 1, 6]), (FEATURES, True, [5, 1, 6]), (FALLING, False, [6, 6])],
)
def test_a_step_finds_its_numbers_where_it_was_recorded(
    chosen: dict[str, Any], flat: bool, kinds: list[int], launches: list[Recorded]
) -> None:
    options = {"precision": "64-true"}
    through, _ = history(flat, **chosen, trainer_options={**options, "compile": True})
    plain, _ = history(flat, **chosen, trainer_options=options)
    assert_alike(through, plain, rel=1e-5, absolute=1e-5)  # rates and the number of the step have 32 bits there
    launched = [launches.count(one) for one in dict.fromkeys(launches)]
    assert launched == [n - recorded._FIRST for n in kinds if n > recorded._FIRST]


@on_gpu
@pytest.mark.parametrize(
    ("chosen", "flat", "compiles"),
    [(PICTURES, False, False), (FEATURES, True, False), (FALLING, False, False), (FALLING, False, True)],
)
def test_a_gpu_that_has_recorded_a_step_learns_the_same(
    chosen: dict[str, Any], flat: bool, compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiles:
        monkeypatch.setattr(compiling, "compiled", lambda function: function)
    options = {"accelerator": "gpu", "devices": 1}
    plain, counted = history(flat, **chosen, trainer_options=options)
    through, also = history(flat, **chosen, trainer_options={**options, "compile": True})
    assert also == counted
    assert_alike(through, plain, rel=2e-3, absolute=2e-3)


def test_steps_that_hold_what_users_wrote_are_not_recorded(launches: list[Recorded]) -> None:
    def term(seen: Seen) -> Tensor:
        return 1e-3 * seen.codes.square().mean()

    for written in ({"extra_terms": {"term": term}}, {"augment": change_pictures}):
        history(**PICTURES, **written, trainer_options={"compile": True})
    assert not launches


def test_a_resumed_run_records_anew_and_learns_the_same(tmp_path: Path, launches: list[Recorded]) -> None:
    x, y = load_digits().images[:300], load_digits().target[:300]
    few = np.where(np.arange(300) < 150, y, -1)  # enough for some to join late, when batches have more of them
    settings = {**LONGER, **PICTURES, "batch_size": 140}
    options = {"accelerator": "cpu", "compile": True}

    def fit(more: dict[str, Any], **how: Any) -> PartedVAE:
        return PartedVAE(**settings, trainer_options={**options, **more}).fit(x, few, **how)

    whole = fit({})
    assert len({id(one) for one in launches}) > 1
    launches.clear()
    with suppress(InterruptedError):
        fit({"callbacks": [Stop(at=5)]}, checkpoints=tmp_path)
    again = fit({}, checkpoints=tmp_path, resume_from=tmp_path)
    assert launches
    assert_alike(again.history_, whole.history_, rel=1e-6, absolute=1e-6)


@on_gpu
def test_a_step_that_waits_for_the_gpu_is_said_to() -> None:
    gpu = torch.device("cuda")

    def waiting(given: list[Tensor], numbers: list[Tensor]) -> dict[str, Tensor]:
        return {"found": given[0] * (2 if float(numbers[0]) > 0 else 1)}

    recorded = Recorded(waiting, torch.Generator(gpu), gpu)
    usual = torch.cuda.current_stream()
    x = torch.ones(3, device=gpu)
    for _ in range(3):
        assert recorded([x], [1.0])["found"].tolist() == [2, 2, 2]
    with pytest.raises(CompileError, match="could not record the step"):
        recorded([x], [1.0])
    assert torch.cuda.current_stream() == usual


class Algorithms(Callback):
    """Whether convolutions try what algorithms there are."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Look."""
        self.tried = torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    ("more", "tried"), [({}, True), ({"deterministic": True}, False), ({"benchmark": False}, False)]
)
def test_convolutions_that_are_compiled_are_chosen_by_trying(
    more: dict[str, Any], tried: bool, launches: list[Recorded], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: torch.use_deterministic_algorithms(mode=False))
    looking = Algorithms()
    x, y = digits()
    options = {"accelerator": "cpu", "compile": True, "callbacks": [looking], **more}
    PartedVAE(**{**LONGER, **FALLING, "max_epochs": 1}, trainer_options=options).fit(x, y)
    assert looking.tried == tried
    assert not torch.backends.cudnn.benchmark


def test_a_compiled_adam_takes_adams_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    start = torch.randn(5, 3, dtype=torch.float64)
    ours, torchs = (nn.Parameter(start.clone()) for _ in range(2))
    compiled, plain = CompiledAdam([ours], lr=0.1), Adam([torchs], lr=0.1)
    rate = torch.tensor(0.1)
    compiled.param_groups[0]["lr"] = rate
    for number in range(1, 6):
        plain.param_groups[0]["lr"] = 0.1 / number
        rate.fill_(0.1 / number)
        for weight, optimizer in ((ours, compiled), (torchs, plain)):
            optimizer.zero_grad()

            def of_weight(weight: Tensor = weight) -> None:
                (weight.sin() * torch.arange(3)).sum().backward()

            optimizer.step(of_weight)
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)  # the rate has 32 bits
    assert not torch.equal(ours, start)


@pytest.mark.skipif(not compiling._COUNTS_APART, reason="this torch counts versions of one step of all optimisers")
def test_the_steps_of_many_optimisers_are_all_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def backend(graph: Any, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    for number in range(torch._dynamo.config.recompile_limit + 2):
        weight = nn.Parameter(torch.ones(2))
        optimizer = CompiledAdam([weight], lr=0.1)
        optimizer.param_groups[0]["lr"] = torch.tensor(0.1)
        weight.grad = torch.ones(2)
        optimizer.step()
        assert len(compiled) == number + 1
