"""A small CNN trained on all labels: an independent judge of what a picture shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Array = NDArray[Any]

_EPOCHS, _BATCH, _SEED = 6, 128, 0


class Oracle:
    """Fit to grey pictures (N, H, W) of uint8 and their class numbers; judges pictures of floats in [0, 1]."""

    def __init__(self, x: Array, labels: Array) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self.net = _network(x.shape[1:], int(labels.max()) + 1)
            optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)
            pictures, numbers = torch.from_numpy(x)[:, None], torch.from_numpy(labels)
            for _ in range(_EPOCHS):
                for rows in torch.randperm(len(pictures)).split(_BATCH):
                    loss = F.cross_entropy(self.net(pictures[rows] / 255), numbers[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
            self.net.eval()

    def classes(self, x: Array) -> Array:
        """The class of each picture, (N,)."""
        with torch.inference_mode():
            parts = [self.net(part).argmax(dim=1) for part in _tensor(x).split(1024)]
        return torch.cat(parts).numpy()


def _tensor(x: Array) -> Tensor:
    scaled = x / 255 if x.dtype == np.uint8 else x
    return torch.tensor(scaled, dtype=torch.float32)[:, None]


def _network(size: tuple[int, ...], n_classes: int) -> nn.Sequential:
    height, width = size
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * (height // 4) * (width // 4), 128), nn.ReLU(), nn.Linear(128, n_classes),
    )  # fmt: skip
