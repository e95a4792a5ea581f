"""A step for a GPU: compiled it learns the same, observations stay where they fit, and nothing waits for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from partedvae import PartedVAE, compiling
from partedvae.batches import Batch, Draw, Rows
from partedvae.checkpoint_files import CheckpointError
from partedvae.compiling import CompileError
from partedvae.config import Config
from partedvae.extra_terms import Seen
from partedvae.factory import Schedule
from partedvae.layout import Layout
from partedvae.likelihoods import Bernoulli
from partedvae.model import PartedModel
from partedvae.ondemand import OnDemand
from partedvae.partition import Partition
from partedvae.resident import home
from partedvae.scaling import Scaling
from partedvae.training import Training
from two_batches import OF_THE_COMPILER, PUBLISHED, SETTINGS, History, assert_alike, digits

pytestmark = OF_THE_COMPILER

FLAT: dict[str, Any] = {"u_dim": 1, "consistency": 2.0}


def history(**more: Any) -> History:
    options = {"precision": "64-true", "accelerator": "cpu", **more.pop("trainer_options", {})}
    x, y = digits()
    if more.get("consistency"):
        x = x.reshape(len(x), -1)
    return PartedVAE(**{**SETTINGS, **more}, trainer_options=options).fit(x, y).history_


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Torch traces all of a step, or fails, and does with it what it does anyhow, which is sooner done."""
    seen: list[str] = []

    def through(function: Callable[..., Any]) -> Callable[..., Any]:
        whole: Callable[..., Any] = torch.compile(
            compiling.with_code_of_its_own(function), dynamic=False, fullgraph=True, backend="aot_eager"
        )

        def named(*given: Any) -> Any:
            seen.append(function.__name__)
            return whole(*given)

        return named

    monkeypatch.setattr(compiling, "compiled", through)
    return seen


@pytest.mark.parametrize("settings", [{}, FLAT, PUBLISHED])
def test_the_compiler_sees_all_of_a_step_and_learns_the_same(settings: dict[str, Any], traced: list[str]) -> None:
    plain = history(**settings)
    assert not traced
    through = history(**settings, trainer_options={"compile": True})
    # What is shown and what both optimisers descend, in batches of the usual size, not the last, of two epochs.
    assert len(traced) == 3 * 2 * 2
    assert_alike(through, plain)


def test_terms_of_a_user_are_compiled_with_the_rest(traced: list[str]) -> None:
    def late(seen: Seen) -> Tensor:
        return 1e-3 * seen.step * seen.codes.square().mean()

    through = history(extra_terms={"late": late}, trainer_options={"compile": True})
    assert_alike(through, history(extra_terms={"late": late}))
    assert traced


def test_a_batch_that_is_all_there_is_is_compiled_too(traced: list[str]) -> None:
    history(batch_size=200, trainer_options={"compile": True})
    assert len(traced) == 3 * 2


@pytest.mark.slow
def test_torchs_own_compiler_learns_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    through = history(**PUBLISHED, verbose=True, trainer_options={"compile": True})
    assert "in which it was compiled" in capfd.readouterr().err
    assert_alike(through, history(**PUBLISHED))


def test_torch_compiles_one_function_of_each_of_many_fits() -> None:
    def of_fit(setting: str) -> Callable[[Tensor], Tensor]:
        return lambda x: x + len(setting)

    for number in range(2 * torch._dynamo.config.recompile_limit):
        one = torch.compile(compiling.with_code_of_its_own(of_fit("s" * number)), fullgraph=True, backend="eager")
        assert one(torch.zeros(())) == number


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        from torch._dynamo.exc import Unsupported

        def step(*_: Any) -> Any:
            raise Unsupported("no such thing\nmore", "none")

        return step

    monkeypatch.setattr(compiling, "compiled", failing)
    with pytest.raises(CompileError, match=r"could not compile the step \(.*no such thing\).* without --compile"):
        history(trainer_options={"compile": True})


def test_several_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="compile is for one process"):
        history(trainer_options={"compile": True, "devices": 2})


def test_a_run_is_gone_on_with_as_it_was_begun(tmp_path: Any, traced: list[str]) -> None:
    x, y = digits()
    settings = {**SETTINGS, **PUBLISHED}
    through = {"compile": True}
    PartedVAE(**settings, trainer_options={**through, "limit_train_batches": 2}).fit(x, y, checkpoints=tmp_path)
    with pytest.raises(CheckpointError, match="of a run with compile"):
        PartedVAE(**settings, trainer_options={"limit_train_batches": 2}).fit(x, y, resume_from=tmp_path)
    assert traced


@pytest.mark.parametrize(("free", "there"), [(8_000, True), (7_999, False)])
def test_observations_stay_on_a_gpu_with_twice_their_room(
    free: int, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10**9))
    gpu = torch.device("cuda", 0)
    assert home(torch.zeros(1_000), gpu) == (gpu if there else None)
    assert home(OnDemand(np.zeros((3, 4), dtype=np.float32), Layout("features", (4,))), gpu) is None
    assert home(torch.zeros(3), torch.device("cpu")) is None


def test_a_batch_is_made_where_its_observations_are() -> None:
    x, labels = torch.arange(12.0).reshape(6, 2), torch.tensor([[-1], [0], [-1], [1], [-1], [-1]])
    draw = Draw(torch.tensor([5, 0]), torch.tensor([1]))
    here = Rows(x, labels)[draw]
    assert [part.tolist() for part in here] == [[[10, 11], [0, 1]], [[6, 7]], [[1]]]
    there = Rows(x, labels, torch.device("meta"))[draw]
    assert [(part.device.type, part.shape) for part in there] == [("meta", part.shape) for part in here]


class NothingWaits(TorchDispatchMode):
    """Refuses numbers that come from the processor on the way: the device would be waited for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {part.device.type for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)}
        if "cpu" in given:
            raise AssertionError(f"{func} of numbers on the processor")
        drawn_by = {"generator": None} if "generator" in (kwargs or {}) else {}  # nothing is drawn where no numbers are
        return func(*args, **{**(kwargs or {}), **drawn_by})


@pytest.mark.parametrize("shape", [(1, 16, 16), (30,)])
@pytest.mark.parametrize("settings", [{}, {"consistency": 2.0}, {"consistency": 0.0, "gamma_h": 10.0}])
def test_a_step_on_a_device_does_not_wait_for_it(
    shape: tuple[int, ...], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, config = Partition((3, 2), u_dim=2, z_dim=2), Config(**settings)
    model = PartedModel(Scaling(shape), layout, torch.ones(5), Bernoulli(), hidden_dim=16)
    module = Training(model, config, Schedule.of(config, 10), seed=0, n_batches=5)
    module.noise, module.steps_taken = torch.Generator(), 7
    module.to("meta")  # which has no numbers: who asks it for one is refused
    raw, labels = torch.zeros((8, *shape), device="meta"), torch.zeros(4, 2, dtype=torch.int64, device="meta")
    batch = Batch(raw, raw[:4], labels)
    monkeypatch.setattr(torch, "tensor", lambda *_, **__: pytest.fail("torch.tensor brings numbers to a device"))
    with NothingWaits():
        shown = module.lessons.shown(batch)
        x = shown.x
        loss, terms, log_c = module.step.codes(x, module.step.noise(x, module.noise), module.steps_taken)
        loss.backward()
        guesses = module.step.guesses
        known = module._supervision(shown, None if guesses is None else guesses(log_c))
        torch.stack(list(known.values())).sum().backward()
        if module.average is not None:
            module.average.follow(model, module.steps_taken)
        module._train.add({**terms, **known}, len(x), module.steps_taken)
    assert loss.device.type == "meta"


def test_what_waits_is_seen() -> None:
    there = torch.zeros(3, device="meta")
    with NothingWaits(), pytest.raises(AssertionError, match="on the processor"):
        torch.ones(3).to("meta")
    with NothingWaits(), pytest.raises(RuntimeError, match="meta"):
        there.sum().item()
