"""What encode and predict_proba do of the bare encoder's pictures."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from partedvae import PartedVAE
from partedvae.inference import infer
from speed.timing import CLASSES, ROWS, SIDE, pictures, ratios

_INFERRED_AT_ONCE = 256  # as inference.py has it for pictures of this size


def inference(rounds: int) -> dict[str, Any]:
    """What encode and predict_proba do of the bare encoder's pictures a second."""
    x, y = pictures(ROWS, SIDE), np.arange(ROWS) % CLASSES
    model = PartedVAE(max_epochs=1, random_state=0, trainer_options={"accelerator": "cpu"}).fit(x[:256], y[:256])
    raw = torch.from_numpy(x)[:, None]

    def bare() -> None:
        with torch.inference_mode():
            for part in raw.split(_INFERRED_AT_ONCE):
                model.net_.encoder(part.float() / 255)

    tasks = {
        "bare encoder": bare,
        "infer": lambda: infer(model.net_, raw),
        "encode": lambda: model.encode(x),
        "predict_proba": lambda: model.predict_proba(x),
    }
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - started)
    return {name: ratios(seconds["bare encoder"], values) for name, values in seconds.items() if name != "bare encoder"}
