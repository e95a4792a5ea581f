"""Observations changed in ways that leave their class: what the class predictor should not mind."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""From observations (N, …), as the networks see them, and noise to changed ones of the same shape."""

# What an observation changed with full strength gets at most; each has a strength of its own between none and that.
_TURN, _SHEAR, _SHIFT = math.radians(22), 0.22, 0.15  # of the picture's side
_ZOOM, _STRETCH = 1.25, 1.16
_HOLE = 0.6  # side of the square that is erased, of the picture's side
_REPLACED = 0.5  # of the features


def augmentation_for(shape: tuple[int, ...], n_attributes: int) -> Augmentation:
    """What suits observations of ``shape``: pictures are moved and partly erased, features partly replaced.

    Where there are several attributes, one may well be a size or a direction: then pictures are not zoomed or turned.

    >>> augmentation_for((1, 8, 8), n_attributes=1) is change_pictures
    True
    >>> augmentation_for((1, 8, 8), n_attributes=2) is shift_pictures
    True
    >>> augmentation_for((30,), n_attributes=2) is change_features
    True
    """
    if len(shape) == 1:
        return change_features
    return change_pictures if n_attributes == 1 else shift_pictures


def changed(x: Tensor, augment: Augmentation, generator: torch.Generator) -> Tensor:
    """Observations changed by whoever's augmentation, in as many bits as they have: places in 16 are half a pixel off.

    Raises:
        ValueError: it is no function, or gives something that is not observations like those that it got.
    """
    if not callable(augment):
        raise ValueError(f"augment={augment!r}: should be a function of observations and a torch.Generator.")
    shortens = torch.amp.is_autocast_available(x.device.type)
    with torch.autocast(x.device.type, enabled=False) if shortens else nullcontext():
        found = augment(x, generator)
    if not isinstance(found, Tensor) or found.shape != x.shape:
        what = f"of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise ValueError(f"augment should give a tensor of the shape that it got, {tuple(x.shape)}; it gives {what}.")
    if found.dtype != x.dtype:
        raise ValueError(f"augment should give {x.dtype}, as it got; it gives {found.dtype}.")
    return found


def change_pictures(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, zoom, stretch, shear and shift each picture a little, and erase a square of it. Nothing is mirrored.

    Args:
        x: (N, C, H, W).
        generator: of the noise, on the device of x.

    Source: weak-to-strong consistency, Sohn et al. 2020; erasing, DeVries and Taylor 2017.

    >>> changed = change_pictures(torch.rand(2, 3, 16, 16), torch.Generator().manual_seed(0))
    >>> changed.shape
    torch.Size([2, 3, 16, 16])
    """
    noise = torch.empty(8, len(x), device=x.device).uniform_(-1, 1, generator=generator)
    strength = noise[7].abs()
    turn, shear, right, down, zoom, stretch = strength * noise[:6]
    turn, zoom, stretch = _TURN * turn, _ZOOM**zoom, _STRETCH**stretch
    across = [turn.cos() * zoom * stretch, _SHEAR * shear - turn.sin() * zoom, 2 * _SHIFT * right]
    along = [turn.sin() * zoom, turn.cos() * zoom / stretch, 2 * _SHIFT * down]
    return _with_holes(_moved(x, across, along), strength * noise[6].abs(), generator)


def shift_pictures(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each picture a little, and erase a square of it; what it shows keeps its size and its direction.

    Args:
        x: (N, C, H, W).
        generator: of the noise, on the device of x.
    """
    noise = torch.empty(4, len(x), device=x.device).uniform_(-1, 1, generator=generator)
    strength = noise[3].abs()
    right, down = strength * noise[:2]
    same, none = torch.ones_like(strength), torch.zeros_like(strength)
    moved = _moved(x, [same, none, 2 * _SHIFT * right], [none, same, 2 * _SHIFT * down])
    return _with_holes(moved, strength * noise[2].abs(), generator)


def _moved(x: Tensor, across: list[Tensor], along: list[Tensor]) -> Tensor:
    """Pictures whose points come from elsewhere: two rows of an affine map, each number (N,).

    Coordinates go from −1 to 1: a shift by all of the side is one by 2.
    """
    maps = torch.stack([torch.stack(across, dim=1), torch.stack(along, dim=1)], dim=1)
    grid = F.affine_grid(maps.to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _with_holes(x: Tensor, size: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with a square of their mean colour somewhere, of sizes (N,) between none and the largest."""
    centre = torch.empty(2, len(x), 1, device=x.device).uniform_(generator=generator)
    row, column = (
        ((torch.arange(n, device=x.device) + 0.5) / n - middle).abs() < _HOLE * size[:, None] / 2
        for n, middle in zip(x.shape[2:], centre, strict=True)
    )
    hole = (row[:, :, None] & column[:, None, :])[:, None]
    return torch.where(hole, x.mean(dim=(2, 3), keepdim=True), x)


def change_features(x: Tensor, generator: torch.Generator) -> Tensor:
    """Replace some values of each observation by those that other observations have in the same columns.

    So every value stays one that its column knows, whatever kind of number it is.

    Args:
        x: (N, F).
        generator: of the noise, on the device of x.

    Source: Bahri et al. 2022 (SCARF).

    >>> x = torch.arange(6.0).reshape(3, 2)
    >>> changed = change_features(x, torch.Generator().manual_seed(0))
    >>> all(value in column for value, column in zip(changed[0], x.T, strict=True))
    True
    """
    share = _REPLACED * torch.empty(len(x), 1, device=x.device).uniform_(generator=generator)
    replaced = torch.empty_like(x, dtype=torch.float32).uniform_(generator=generator) < share
    others = torch.randint(len(x), x.shape, generator=generator, device=x.device)
    return torch.where(replaced, x.gather(0, others), x)
