"""What a step computes, through torch's compiler: few large kernels instead of many small ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.optim import Adam

_COUNTS_APART = "isolate_recompiles" in inspect.signature(torch.compile).parameters

Given = ParamSpec("Given")
Found = TypeVar("Found")


class CompileError(RuntimeError):
    """Torch's compiler has failed: there is no compiler of C++ on this machine, or it does not know this step."""


def compiled(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """A function of tensors, compiled for the shapes that it is called with, for each anew.

    The first call takes up to a minute. What is drawn by chance has to be among the arguments: the compiler knows no
    generator of ours.

    Args:
        function: pure, or what it changes is changed in place.

    Source: Ansel et al. 2024, *PyTorch 2: faster machine learning through dynamic Python bytecode transformation and
    graph compilation*.
    """
    return torch.compile(with_code_of_its_own(function), dynamic=False)


def with_code_of_its_own(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """The same function, of which torch compiles as many versions as of any: it counts those of all fits otherwise."""

    def own(*given: Given.args, **named: Given.kwargs) -> Found:
        return function(*given, **named)

    own.__code__ = own.__code__.replace()
    return own


@contextmanager
def usual_algorithms() -> Iterator[None]:
    """Leave a GPU's convolutions as they were chosen before: what a trainer is told of them outlives it."""
    usual = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = usual


@contextmanager
def rates_from(groups: Sequence[dict[str, Any]], rates: Sequence[Tensor]) -> Iterator[None]:
    """Let optimisers look up the rates of their groups where they stand on a device, and not in Python."""
    usual = [group["lr"] for group in groups]
    try:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        yield
    finally:
        for group, rate in zip(groups, usual, strict=True):
            group["lr"] = rate


class CompiledAdam(Adam):
    """Adam in a few kernels that fill a GPU, where its rates are tensors; else it would be compiled for each rate.

    That of torch's which is fused gives each part of a GPU so many weights that a small model's fill a tenth of it.
    """

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr, foreach=True, capturable=True)
        # Torch counts versions of its own step, of all optimisers there are; newer torch is told not to.
        apart: dict[str, Any] = {"isolate_recompiles": True} if _COUNTS_APART else {}
        self._compiled = torch.compile(super().step, dynamic=False, **apart)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, of gradients that are there once the closure, if there is one, has run."""
        found = None if closure is None else closure()
        if all(isinstance(group["lr"], Tensor) for group in self.param_groups):
            self._compiled()
        else:
            super().step()
        return found
