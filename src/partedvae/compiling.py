"""What a step computes, through torch's compiler: few large kernels instead of many small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

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
