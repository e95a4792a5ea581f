"""Every measure that can be had of what a method learned, by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from oracle import Oracle
from partedvae.metrics import Oracle as Judge
from partedvae.metrics import (
    beta_vae,
    dci,
    diversity,
    expected_calibration_error,
    factor_vae,
    leakage,
    mig,
    modularity,
    novelty_auroc,
    sap,
    style_preservation,
    swap_accuracy,
)
from rivals.learned import Learned
from tasks import Task

Array = NDArray[Any]

_PAIRS, _SAMPLES, _ACTIVE = 5_000, 200, 0.01
_TAUGHT, _STYLE_PAIRS = 3_000, 2_000


def measured(learned: Learned, task: Task, oracle: Oracle, seed: int) -> dict[str, float]:
    """Of test rows; a measure that a method cannot have is not there."""
    return {
        **_of_classifier(learned, task),
        **_of_codes(learned, task, seed),
        **_of_generator(learned, task, oracle, seed),
        **_of_factors(learned, task, seed),
        **_of_bound(learned, task),
    }


def _of_classifier(learned: Learned, task: Task) -> dict[str, float]:
    if learned.proba is None:
        return {}
    p = learned.proba(task.x_test)
    return {
        "accuracy": float(np.mean(p.argmax(axis=1) == task.y_test)),
        "nll": float(log_loss(task.y_test, p, labels=np.arange(p.shape[1]))),
        "ece": float(expected_calibration_error(p, task.y_test)),
    }


def _of_codes(learned: Learned, task: Task, seed: int) -> dict[str, float]:
    if learned.encode is None:
        return {}
    u, z = learned.encode(task.x_test)
    from_u, from_z = (float(leakage(code, task.y_test, random_state=seed)) for code in (u, z))
    found = {
        "class_from_u": from_u,
        "class_from_z": from_z,
        "class_gap": from_u - from_z,
        "z_active": float((z.var(axis=0) > _ACTIVE).sum()),
    }
    if learned.z_kl is not None:
        found["z_kl"] = float(learned.z_kl(task.x_test).mean())
    return found


def _of_generator(learned: Learned, task: Task, oracle: Oracle, seed: int) -> dict[str, float]:
    if learned.encode is None or learned.decode is None:
        return {}
    encode, decode = learned.encode, learned.decode

    def swap(content: Array, style: Array) -> Array:
        return decode(encode(content).u, encode(style).z)

    x, truth = task.x_test, task.y_test
    reconstruction = decode(*encode(x))
    found = {
        "oracle_accuracy": float(np.mean(oracle.judge(x) == truth)),
        "mse": float(np.mean((reconstruction - x / 255) ** 2)),
    }
    if learned.own_u:
        swaps = swap_accuracy(swap, x, truth, oracle, n_pairs=_PAIRS, random_state=seed)
        found |= {
            "swap_accuracy": swaps.kept,
            "swap_normalised": swaps.normalised,
            "swap_style_class": swaps.style_class,
        }
    if learned.sample is not None:
        drawn = {k: learned.sample(_SAMPLES, k, seed + k) for k in range(len(task.names))}
        found["generation_accuracy"] = float(np.mean([np.mean(oracle.judge(s) == k) for k, s in drawn.items()]))
        found["generation_diversity"] = float(np.mean([diversity(s, x[truth == k]) for k, s in drawn.items()]))
        # What the codes hold of the data's diversity: samples from them can hardly have more.
        found["reconstruction_diversity"] = float(
            np.mean([diversity(reconstruction[truth == k], x[truth == k]) for k in drawn])
        )
    return found


def _of_factors(learned: Learned, task: Task, seed: int) -> dict[str, float]:
    if task.factors_test is None or learned.encode is None:
        return {}
    factors = task.factors_test
    codes = np.concatenate(learned.encode(task.x_test), axis=1)
    tree = dci(codes, factors, trees="fast", random_state=seed)
    found = {
        "factor_vae": float(factor_vae(codes, factors, random_state=seed)),
        "beta_vae": float(beta_vae(codes, factors, random_state=seed)),
        "mig": float(mig(codes, factors)),
        "sap": float(sap(codes, factors, random_state=seed)),
        "modularity": float(modularity(codes, factors)),
        "dci_disentanglement": tree.disentanglement,
        "dci_completeness": tree.completeness,
        "dci_informativeness": tree.informativeness,
    }
    return found | ({"style_preserved": _style_preserved(learned, task, seed)} if learned.own_u else {})


def _style_preserved(learned: Learned, task: Task, seed: int) -> float:
    """Style preservation, the mean over the factors that are not the class, each judged by an SVM."""
    encode, decode, factors = learned.encode, learned.decode, task.factors_test
    if encode is None or decode is None or factors is None:
        return float("nan")
    # Test rows are in the order of their factors: a judge of the first would know one shape only.
    taught, judged = np.split(np.random.default_rng(seed).permutation(len(task.x_test)), [_TAUGHT])
    kept = []
    for column in factors.T:
        if len(np.unique(column)) < 2 or np.array_equal(column, task.y_test):
            continue
        kept.append(
            style_preservation(
                lambda content, style: decode(encode(content).u, encode(style).z),
                task.x_test[judged],
                task.y_test[judged],
                column[judged],
                Judge(task.x_test[taught], column[taught], seed),
                n_pairs=_STYLE_PAIRS,
                random_state=seed,
            )
        )
    return float(np.mean(kept))


def _of_bound(learned: Learned, task: Task) -> dict[str, float]:
    if task.x_novel is None or learned.bound is None:
        return {}
    return {"novelty_auroc": float(novelty_auroc(learned.bound(task.x_test), learned.bound(task.x_novel)))}
