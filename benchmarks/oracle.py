"""A small CNN trained on all labels: an independent judge of what a picture shows."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from partedvae.persistence import write_whole

Array = NDArray[Any]

_EPOCHS, _STEPS, _BATCH, _SEED = 6, 2_500, 128, 0  # 6 epochs, or more until there were 2,500 steps


class Oracle:
    """Fit to grey pictures (N, H, W) of uint8 and their class numbers; judges pictures of floats in [0, 1]."""

    def __init__(self, x: Array, labels: Array) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self.net = _network(x.shape[1:], int(labels.max()) + 1)
            optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)
            pictures, numbers = torch.from_numpy(x)[:, None], torch.from_numpy(labels)
            for _ in range(max(_EPOCHS, math.ceil(_STEPS * _BATCH / len(pictures)))):
                for rows in torch.randperm(len(pictures)).split(_BATCH):
                    loss = F.cross_entropy(self.net(pictures[rows] / 255), numbers[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
            self.net.eval()

    @classmethod
    def kept(cls, x: Array, labels: Array, folder: Path) -> Self:
        """The same, from a file if one has been fit to the same pictures before."""
        how = f"{_EPOCHS} {_STEPS} {_BATCH} {_SEED}".encode()
        key = hashlib.sha256(how + x.tobytes() + labels.tobytes()).hexdigest()[:16]
        path = folder / f"oracle-{x.shape[1]}x{x.shape[2]}-{key}.safetensors"
        if not path.exists():
            oracle = cls(x, labels)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda temporary: temporary.write_bytes(save(oracle.net.state_dict())))
            return oracle
        oracle = cls.__new__(cls)
        oracle.net = _network(x.shape[1:], int(labels.max()) + 1)
        oracle.net.load_state_dict(load_file(path))
        oracle.net.eval()
        return oracle

    def judge(self, x: Array) -> Array:
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
