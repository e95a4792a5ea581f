"""PartedVAE, and PartedVAE with one idea of the paper removed or one of ours added."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from partedvae import PartedVAE
from partedvae.config import Config, preset
from partedvae.labels import MISSING
from rivals.learned import Learned, Parted, read_from_codes
from tasks import Task

Array = NDArray[Any]

ABLATIONS: dict[str, dict[str, Any]] = {
    "no attention": {"attention": False},
    "no Bhattacharyya term": {"gamma_bc": 0.0},
    "normal prior": {"prior": "normal"},
    "no labels": {"supervised": False},
    "no capacity schedule": {"capacity_steps": 1},
}
"""What is removed, and how."""

# How the default learns; what codes may carry, and what a pixel counts, is the task's, so that recipes can be compared.
_OURS = {name: getattr(Config(), name) for name in (*preset("paper"), "lr", "lr_patience", "balance_labels")}

ADDITIONS: dict[str, dict[str, Any]] = {
    "with fitted prior": {"fit_prior": True},
    "our recipe": _OURS,
    "our recipe, calibrated": {**_OURS, "aside": 0.2},
}
"""What we add to the paper for whoever asks, and how."""


def parted_vae(task: Task, seed: int, aside: float = 0.0, **changed: Any) -> Learned:
    """Hajimiri et al. 2021; see ``ABLATIONS`` and ``ADDITIONS`` for what may be changed.

    Args:
        task: what is learned.
        seed: of the fit, and of which labels are kept aside.
        aside: share of the labels that fit does not see, and that calibrate the model afterwards.
        changed: settings that are not the task's.
    """
    model = PartedVAE(**{**task.settings, **changed, "random_state": seed})
    if aside:
        y = task.y[task.labelled]
        _, kept = train_test_split(task.labelled, test_size=aside, stratify=y, random_state=seed)
        few = np.where(np.isin(np.arange(len(task.y)), kept), MISSING, task.y)
        model.fit(task.x, few).calibrate(task.x[kept], task.y[kept])
    else:
        model.fit(task.x, task.y)

    def encode(x: Array) -> Parted:
        codes = model.encode(x)
        return Parted(codes.u, codes.z)

    def proba(x: Array) -> Array:
        found = model.predict_proba(x)
        return found if isinstance(found, np.ndarray) else found[0]

    return Learned(
        # Without labels its classes are clusters that have no names.
        proba=proba if model.supervised else read_from_codes(encode, task),
        encode=encode,
        decode=model.decode,
        sample=(lambda n, k, seed: model.sample(n, k, random_state=seed)) if model.supervised else None,
        bound=model.score_samples,
        z_kl=lambda x: model.z_kl(x).sum(axis=1),
    )


OURS = {"PartedVAE": parted_vae} | {
    name: partial(parted_vae, **changed) for name, changed in {**ADDITIONS, **ABLATIONS}.items()
}
