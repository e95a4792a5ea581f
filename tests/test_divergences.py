"""Each divergence against torch.distributions, Monte Carlo and numerical integration, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from partedvae.divergences import (
    bhattacharyya_coefficient,
    entropy_categorical,
    kl_categorical,
    kl_normal,
    kl_standard_normal,
)

seeds = st.integers(0, 2**32 - 1)


def gaussians(seed: int, n: int = 5, d: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mean_a, logvar_a, mean_b, logvar_b = torch.randn(4, n, d, generator=generator, dtype=torch.float64)
    return mean_a, logvar_a, mean_b, logvar_b


def as_distribution(mean: Tensor, logvar: Tensor) -> Any:
    return Independent(Normal(mean, (0.5 * logvar).exp()), 1)


@given(seeds)
def test_kl_of_gaussians_is_that_of_torch(seed: int) -> None:
    mean_a, logvar_a, mean_b, logvar_b = gaussians(seed)
    expected = kl_divergence(as_distribution(mean_a, logvar_a), as_distribution(mean_b, logvar_b))
    torch.testing.assert_close(kl_normal(mean_a, logvar_a, mean_b, logvar_b), expected)


@given(seeds)
def test_kl_to_the_standard_normal_is_that_of_torch(seed: int) -> None:
    mean, logvar, zero, _ = gaussians(seed)
    standard = Normal(torch.zeros_like(zero), 1.0)
    torch.testing.assert_close(
        kl_standard_normal(mean, logvar), kl_divergence(Normal(mean, (0.5 * logvar).exp()), standard)
    )


def test_kl_of_gaussians_is_the_mean_log_ratio_of_draws() -> None:
    mean_a, logvar_a, mean_b, logvar_b = gaussians(seed=0, n=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        p, q = as_distribution(mean_a[0], logvar_a[0]), as_distribution(mean_b[0], logvar_b[0])
        draws = p.sample((400_000,))
    ratios = p.log_prob(draws) - q.log_prob(draws)
    error = ratios.std() / len(draws) ** 0.5
    exact = kl_normal(mean_a, logvar_a, mean_b, logvar_b)[0]
    assert abs(ratios.mean() - exact) < 5 * error
    assert error < 0.02 * exact  # else the line above would say little


@given(seeds)
def test_categorical_kl_and_entropy_are_those_of_torch(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_q, log_p = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64).log_softmax(dim=-1)
    q, p = Categorical(logits=log_q), Categorical(logits=log_p)
    torch.testing.assert_close(kl_categorical(log_q, log_p), kl_divergence(q, p))
    torch.testing.assert_close(entropy_categorical(log_q), q.entropy())


@pytest.mark.parametrize(("a", "b"), [((0.0, 1.0), (0.5, 2.0)), ((-1.0, 0.3), (2.0, 0.4)), ((0.0, 0.1), (0.0, 3.0))])
def test_overlap_is_the_integral_of_the_root_of_the_product(a: tuple[float, float], b: tuple[float, float]) -> None:
    integral, _ = quad(lambda t: np.sqrt(norm.pdf(t, *a) * norm.pdf(t, *b)), -30, 30, points=[a[0], b[0]], limit=200)
    mean_a, mean_b = (torch.tensor([m], dtype=torch.float64) for m in (a[0], b[0]))
    logvar_a, logvar_b = (torch.tensor([2 * np.log(s)], dtype=torch.float64) for s in (a[1], b[1]))
    assert float(bhattacharyya_coefficient(mean_a, logvar_a, mean_b, logvar_b)) == pytest.approx(integral, abs=1e-8)


@given(seeds)
def test_overlap_is_symmetric_one_with_itself_and_between_0_and_1(seed: int) -> None:
    mean_a, logvar_a, mean_b, logvar_b = gaussians(seed)
    there = bhattacharyya_coefficient(mean_a, logvar_a, mean_b, logvar_b)
    torch.testing.assert_close(there, bhattacharyya_coefficient(mean_b, logvar_b, mean_a, logvar_a))
    torch.testing.assert_close(bhattacharyya_coefficient(mean_a, logvar_a, mean_a, logvar_a), torch.ones_like(there))
    assert ((there > 0) & (there <= 1)).all()


@given(seeds)
def test_divergences_are_not_negative_and_zero_only_for_the_same(seed: int) -> None:
    mean_a, logvar_a, mean_b, logvar_b = gaussians(seed)
    assert (kl_normal(mean_a, logvar_a, mean_b, logvar_b) > 0).all()
    torch.testing.assert_close(kl_normal(mean_a, logvar_a, mean_a, logvar_a), torch.zeros(5, dtype=torch.float64))
