"""What a step computes, through torch's compiler: on a GPU few launches of large kernels instead of many small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Found = TypeVar("Found")


def compiled(function: Callable[Given, Found], device: torch.device) -> Callable[Given, Found]:
    """A function of tensors, compiled for the shapes that it is called with, for each anew.

    On a GPU its kernels are recorded, and from then on launched all at once (CUDA graphs). The first call takes up to a
    minute. What is drawn by chance has to be among the arguments: the compiler knows no generator of ours.

    Args:
        function: pure, or what it changes is changed in place.
        device: that the tensors are on.

    Source: Ansel et al. 2024, *PyTorch 2: faster machine learning through dynamic Python bytecode transformation and
    graph compilation*.
    """
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(with_code_of_its_own(function), dynamic=False, mode=mode)


def with_code_of_its_own(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """The same function, of which torch compiles as many versions as of any: it counts those of all fits otherwise."""

    def own(*given: Given.args, **named: Given.kwargs) -> Found:
        return function(*given, **named)

    own.__code__ = own.__code__.replace()
    return own
