"""From observations as people have them to what the networks see, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from partedvae.ondemand import Raw, parts

_ROUNDING = 1e-13  # of the largest value; columns that vary at all in 32 bits spread more, up to 10¹¹ rows


class Scaling(nn.Module):
    """x = (raw − offset) / scale, kept with the model so that what it learnt is applied wherever it goes.

    Pictures come out in [0, 1]: bytes are divided by 255, floats are taken as they are if fit saw them in [0, 1], else
    by the range that fit saw. Features come out with mean 0 and deviation 1, a column that never varies with 0.

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
    byte_scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        size = (1, 1, 1) if len(shape) == 3 else shape
        self.register_buffer("offset", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("byte_scale", torch.ones(()))

    @classmethod
    def fit(cls, raw: Raw, standardise: bool = True) -> Scaling:
        """The scaling for observations (N, …); features keep their values unless ``standardise``."""
        scaling = cls(tuple(raw.shape[1:]))
        if raw.ndim == 4:
            least, most = (0.0, 1.0) if raw.dtype == torch.uint8 else extent(raw)
            if least >= 0 and most <= 1:
                scaling.byte_scale.fill_(1 / 255)
            else:
                scaling.offset.fill_(least)
                scaling.scale.fill_(max(most - least, torch.finfo(torch.float32).tiny))
        elif standardise:
            mean, spread, largest = _moments(raw)
            # Rounding alone gives a constant column of large values a tiny spread.
            scaling.offset.copy_(mean)
            scaling.scale.copy_(torch.where(spread <= _ROUNDING * largest, 1.0, spread))
        return scaling

    @property
    def divides_bytes(self) -> bool:
        """Whether bytes are pictures in [0, 1]; if not, they are the numbers that they hold."""
        return float(self.byte_scale) < 1

    def forward(self, raw: Tensor) -> Tensor:
        """Observations (N, …) as the networks see them."""
        values = raw.to(self.offset.dtype)
        if raw.dtype == torch.uint8:  # a copy by now: what is done in place need not be read from memory again
            return values.mul_(self.byte_scale).sub_(self.offset).div_(self.scale)
        return (values - self.offset).div_(self.scale)

    def inverse(self, x: Tensor) -> Tensor:
        """Observations in the range of those the scaling was fit on; in [0, 1] if these were uint8."""
        return x * self.scale + self.offset


def require_shares(raw: Raw, called: str, advice: str) -> None:
    """Refuse features beyond [0, 1]: of a Bernoulli likelihood they are shares of a yes.

    Raises:
        ValueError: says how far they go.
    """
    if raw.ndim != 2:
        return
    least, most = extent(raw)
    if least < 0 or most > 1:
        found = f"{called} goes from {least:g} to {most:g}"
        raise ValueError(f"likelihood='bernoulli' needs features in [0, 1]; {found}. {advice}")


def extent(raw: Raw) -> tuple[float, float]:
    """The smallest and the largest value.

    >>> extent(torch.tensor([[3.0, -1.0], [0.5, 2.0]]))
    (-1.0, 3.0)
    """
    ends = [torch.stack(part.aminmax()) for part in parts(raw)]
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def _moments(raw: Raw) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and largest absolute value of each column, in two passes, as that loses no digits."""
    mean = torch.stack([part.double().sum(dim=0) for part in parts(raw)]).sum(dim=0) / len(raw)
    squares = torch.stack([(part.double() - mean).square().sum(dim=0) for part in parts(raw)]).sum(dim=0)
    largest = torch.stack([part.double().abs().amax(dim=0) for part in parts(raw)]).amax(dim=0)
    return mean, (squares / len(raw)).sqrt(), largest
