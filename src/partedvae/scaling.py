"""From observations as people have them to what the networks see, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scaling(nn.Module):
    """x = (raw − offset) / scale, kept with the model so that what it learnt is applied wherever it goes.

    Images come out in [0, 1]: uint8 by 255, floats by the range they were fit on unless that is [0, 1] already.
    Features come out with mean 0 and standard deviation 1, a column that never varies with 0.

    Args:
        shape: of one observation, channels first.

    >>> scaling = Scaling.fit(torch.tensor([[0.0, 7.0], [4.0, 7.0]]))
    >>> scaling(torch.tensor([[4.0, 7.0]]))
    tensor([[1., 0.]])
    >>> scaling.inverse(torch.tensor([[1.0, 0.0]]))
    tensor([[4., 7.]])
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        size = (1, 1, 1) if len(shape) == 3 else shape
        # Two buffers for the way back: uint8 images are decoded to [0, 1], not to [0, 255].
        self.register_buffer("offset", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("inverse_scale", torch.ones(size))

    inverse_scale: Tensor

    @classmethod
    def fit(cls, raw: Tensor, standardise: bool = True) -> Scaling:
        """The scaling for observations (N, …); features keep their values unless ``standardise``."""
        scaling = cls(tuple(raw.shape[1:]))
        if raw.ndim == 4:
            if raw.dtype == torch.uint8:
                scaling.scale.fill_(255.0)
            elif raw.min() < 0 or raw.max() > 1:
                scaling.offset.fill_(raw.min())
                scaling.scale.fill_(max(float(raw.max() - raw.min()), torch.finfo(torch.float32).tiny))
                scaling.inverse_scale.copy_(scaling.scale)
        elif standardise:
            wide = raw.double()
            spread = wide.std(dim=0, correction=0)
            # Rounding alone gives a constant column of large values a tiny spread.
            constant = spread <= 1e-7 * wide.abs().amax(dim=0)
            scaling.offset.copy_(wide.mean(dim=0))
            scaling.scale.copy_(torch.where(constant, 1.0, spread))
            scaling.inverse_scale.copy_(scaling.scale)
        return scaling

    def forward(self, raw: Tensor) -> Tensor:
        """Observations (N, …) as the networks see them."""
        return (raw.to(self.offset.dtype) - self.offset) / self.scale

    def inverse(self, x: Tensor) -> Tensor:
        """Observations in the range of those the scaling was fit on; in [0, 1] if these were uint8."""
        return x * self.inverse_scale + self.offset
