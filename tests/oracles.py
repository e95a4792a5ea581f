"""Independent re-computations of the paper in plain NumPy, one observation, class and dimension at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def kl_gauss(mean: float, logvar: float, prior_mean: float, prior_logvar: float) -> float:
    """KL of two one-dimensional Gaussians, from its textbook form with standard deviations."""
    s, s0 = math.sqrt(math.exp(logvar)), math.sqrt(math.exp(prior_logvar))
    return math.log(s0 / s) + (s**2 + (mean - prior_mean) ** 2) / (2 * s0**2) - 0.5


def bc_gauss(mean_a: Array, logvar_a: Array, mean_b: Array, logvar_b: Array) -> float:
    """Bhattacharyya coefficient as the product over dimensions of its closed form for one dimension."""
    product = 1.0
    for ma, va, mb, vb in zip(mean_a, np.exp(logvar_a), mean_b, np.exp(logvar_b), strict=True):
        product *= math.sqrt(2 * math.sqrt(va * vb) / (va + vb)) * math.exp(-((ma - mb) ** 2) / (4 * (va + vb)))
    return product


def bernoulli_log_likelihood(x: Array, mean: Array) -> Array:
    """Ln p of each observation, summed over pixels."""
    return np.array(
        [
            sum(v * math.log(p) + (1 - v) * math.log(1 - p) for v, p in zip(a.ravel(), b.ravel(), strict=True))
            for a, b in zip(x, mean, strict=True)
        ]
    )


def objective(
    *,
    log_q_c: Array,
    u_mean: Array,
    u_logvar: Array,
    z_mean: Array,
    z_logvar: Array,
    prior_mean: Array,
    prior_logvar: Array,
    log_likelihood: Array,
    sizes: Sequence[int],
    pi: Sequence[Sequence[float]],
    gamma: dict[str, float],
    theta: float,
    capacity_z: float,
    capacity_u: float,
) -> dict[str, float]:
    """Every weighted term of one batch, and their sum."""
    n, d_u = len(log_q_c), prior_mean.shape[1]
    q = np.exp(log_q_c)

    kl_z = sum(kl_gauss(m, v, 0.0, 0.0) for m, v in zip(z_mean.ravel(), z_logvar.ravel(), strict=True)) / n

    kl_u = kl_c = entropy = excess = 0.0
    column = 0
    for a, size in enumerate(sizes):
        block = slice(a * d_u, (a + 1) * d_u)
        for i in range(n):
            for k in range(size):
                prior = zip(
                    u_mean[i, block], u_logvar[i, block], prior_mean[column + k], prior_logvar[column + k], strict=True
                )
                kl_u += q[i, column + k] * sum(kl_gauss(*values) for values in prior) / n
                entropy -= q[i, column + k] * log_q_c[i, column + k] / n
        for k in range(size):
            mean_q = q[:, column + k].mean()
            kl_c += mean_q * math.log(mean_q / pi[a][k])
            for other in range(k):
                overlap = bc_gauss(
                    prior_mean[column + k], prior_logvar[column + k],
                    prior_mean[column + other], prior_logvar[column + other],
                )  # fmt: skip
                excess += max(0.0, overlap - theta)
        column += size

    terms = {
        "reconstruction": -gamma["x"] * float(np.mean(log_likelihood)),
        "z_term": gamma["z"] * abs(capacity_z - kl_z) if z_mean.shape[1] else 0.0,
        "u_term": gamma["u"] * abs(capacity_u - kl_u),
        "c_term": gamma["c"] * kl_c,
        "entropy_term": gamma["h"] * entropy,
        "bc_term": gamma["bc"] * excess,
    }
    return {**terms, "total": sum(terms.values())}
