"""The numbers that training multiplies, where the user leaves the choice to us: 16 bits if that is faster."""

from __future__ import annotations

import math

import torch

AUTO = "auto"
_PAYS_FROM = 256  # numbers in an observation; of smaller ones, changing numbers costs more than it saves


def fastest(shape: tuple[int, ...], accelerator: str = "auto") -> str:
    """Lightning's name of the fastest precision here: a rule, so that equal runs stay equal.

    ``bf16-mixed`` for pictures of 256 numbers or more (16×16) where the processor multiplies bfloat16 (AMX, AVX-512
    BF16) or the GPU does; else ``32-true``. Weights, their gradients, posteriors and the terms of the loss stay in 32
    bits either way: only products inside the networks are shorter.

    Args:
        shape: of one observation, channels first.
        accelerator: Lightning's: ``auto``, ``cpu``, ``gpu`` or ``cuda``; others get ``32-true``.

    >>> fastest((30,)), fastest((1, 8, 8))
    ('32-true', '32-true')
    """
    worth = len(shape) == 3 and math.prod(shape) >= _PAYS_FROM
    return "bf16-mixed" if worth and _multiplies_bfloat16(accelerator) else "32-true"


def _multiplies_bfloat16(accelerator: str) -> bool:
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator not in ("auto", "cpu") or not hasattr(torch.cpu, "get_capabilities"):  # older torch does not tell
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
