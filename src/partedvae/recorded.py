"""A step of training whose kernels a GPU has recorded, and is told all at once from then on (CUDA graphs)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from partedvae.compiling import CompileError

Found = dict[str, Tensor]

_FIRST = 3  # steps in which torch compiles, and libraries choose and allocate, which cannot be recorded


def records(device: torch.device) -> bool:
    """Whether a device can record what it is told.

    >>> records(torch.device("cpu"))
    False
    """
    return device.type == "cuda"


class Recorded:
    """A function of tensors of fixed shapes and of numbers, that is recorded after a few calls and launched since.

    A step of some hundred small kernels takes a GPU less time than a processor needs to name them one by one. What is
    not on the GPU is not recorded: the function is not run any more, and may depend on its arguments alone.

    Args:
        function: what it changes it changes in place, and what it gives stands until it is called again. Numbers come
            to it as tensors of 32 bits.
        generator: that it draws from; it draws what it would have drawn unrecorded.
        device: a GPU.

    Source: `CUDA graphs <https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs>`_.
    """

    def __init__(
        self, function: Callable[[list[Tensor], list[Tensor]], Found], generator: torch.Generator, device: torch.device
    ) -> None:
        self._function, self._generator = function, generator
        self._graph, self._stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
        self._device = device
        self._calls = 0
        self._given: list[Tensor] = []
        self._numbers: list[Tensor] = []
        self._filled: list[float] = []
        self._found: Found = {}

    @property
    def is_recorded(self) -> bool:
        """Whether the function is not run any more."""
        return self._calls > _FIRST

    def __call__(self, given: Sequence[Tensor], numbers: Sequence[float]) -> Found:
        """What the function finds.

        Raises:
            CompileError: the function waits for the GPU, or else does what cannot be recorded.
        """
        if self._calls == 0:
            self._given = [torch.empty_like(tensor) for tensor in given]
            self._numbers = [torch.zeros((), dtype=torch.float32, device=self._device) for _ in numbers]
            self._filled = [0.0 for _ in numbers]
        for own, tensor in zip(self._given, given, strict=True):
            own.copy_(tensor)
        for own, number, filled in zip(self._numbers, numbers, self._filled, strict=True):
            if number != filled:
                own.fill_(number)
        self._filled = list(numbers)
        self._calls += 1
        if self._calls <= _FIRST:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                self._found = self._function(self._given, self._numbers)
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            return self._found
        if self._calls == _FIRST + 1:
            self._record()
        self._graph.replay()
        return self._found

    def finish(self) -> None:
        """Wait until the GPU has done what it was told: what it works with may be given back then."""
        with suppress(RuntimeError):  # which whoever lets go knows already, or will be told by the next who asks
            torch.cuda.current_stream(self._device).synchronize()

    def _record(self) -> None:
        self._graph.register_generator_state(self._generator)
        usual = torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._found = self._function(self._given, self._numbers)
        except RuntimeError as error:
            torch.cuda.set_stream(usual)  # which torch does not set back here
            cause: BaseException = error
            while cause.__context__ is not None:  # the end of a recording that failed says only that it did
                cause = cause.__context__
            raise CompileError(
                f"The GPU could not record the step ({str(cause).splitlines()[0]}). Train in a new process, without "
                "--compile, or without compile in trainer_options."
            ) from error
