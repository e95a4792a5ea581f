"""The objective against the published code's figures and against plain NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import bernoulli_log_likelihood, objective
from partedvae.config import PRESETS, Config, preset
from partedvae.factory import Schedule, make_objective
from partedvae.likelihoods import Bernoulli
from partedvae.model import Posterior
from partedvae.objective import Capacities, Objective, Terms, Weights, capacity_gap, cross_entropy, targets_of
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.schedules import capacity

FIXTURES = Path(__file__).parent / "fixtures"
CASES = json.loads((FIXTURES / "terms.json").read_text())
ARRAYS = np.load(FIXTURES / "terms.npz")


def prior_with(layout: Partition, pi: list[list[float]], mean: Any, logvar: Any) -> MixturePrior:
    """A prior with given components, in float64."""
    prior = MixturePrior(layout, torch.tensor([p for part in pi for p in part], dtype=torch.float64)).double()
    with torch.no_grad():
        prior.mean.copy_(torch.as_tensor(mean))
        prior.raw_logvar.copy_(((torch.as_tensor(logvar) + 1) / 2).atanh())
    return prior


def golden(case: str) -> dict[str, torch.Tensor]:
    """The inputs of a golden case as tensors."""
    prefix = f"{case}__"
    return {name.removeprefix(prefix): torch.tensor(ARRAYS[name]) for name in ARRAYS if name.startswith(prefix)}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, torch.Tensor], Terms, MixturePrior]:
    """A golden case, its arrays, and what our objective makes of them."""
    facts, arrays = CASES[request.param], golden(request.param)
    layout = Partition(tuple(facts["K"]), facts["d_u"], facts["d_z"])
    prior = prior_with(layout, facts["pi"], arrays["prior_mean"], arrays["prior_logvar"])
    posterior = Posterior(*(arrays[k] for k in ("log_q_c", "u_mean", "u_logvar", "z_mean", "z_logvar")))
    gamma = facts["gamma"]
    ours = Objective(
        Weights(
            x=1.0, z=gamma["z"], u=gamma["u"], c=gamma["c"], h=gamma["h"], bc=gamma["bc"], threshold=facts["theta"]
        ),
        Capacities(facts["C_z_max"], facts["C_u_max"], facts["capacity_steps"]),
    )
    log_likelihood = Bernoulli().log_prob(arrays["x_hat"].logit(), arrays["x"])
    return facts, arrays, ours(posterior, prior, log_likelihood, facts["step"]), prior


def test_every_term_is_that_of_the_published_code(case: Any) -> None:
    facts, _, terms, _ = case
    for name, value in terms.weighted.items():
        assert value.item() == pytest.approx(facts[name], rel=1e-6), name
    assert terms.total.item() == pytest.approx(facts["total"], rel=1e-6)
    assert set(terms.weighted) == {name for name in facts if name.endswith("_term")} | {"reconstruction"}


def test_the_quantities_behind_the_terms_are_those_of_the_published_code(case: Any) -> None:
    _, arrays, terms, prior = case
    torch.testing.assert_close(terms.measured["z_kl"], arrays["z_kl_per_dim"].sum())
    torch.testing.assert_close(terms.measured["u_kl"], arrays["u_expected_kl"].sum())
    torch.testing.assert_close(terms.measured["c_kl"], arrays["c_kl"].sum())
    torch.testing.assert_close(terms.measured["c_entropy"], arrays["c_entropy"].sum())
    ours, theirs = torch.cat(prior.overlaps()).sort().values, arrays["bc"].flatten().sort().values
    torch.testing.assert_close(ours, theirs[-len(ours) :])


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=3),
    d_u=st.integers(1, 4),
    d_z=st.integers(0, 4),
    n=st.integers(1, 6),
    step=st.integers(0, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_objective_is_that_of_plain_numpy(
    sizes: list[int], d_u: int, d_z: int, n: int, step: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    layout = Partition(tuple(sizes), d_u, d_z)
    log_q = np.concatenate([np.log(rng.dirichlet(np.ones(k), size=n)) for k in sizes], axis=1)
    pi = [rng.dirichlet(np.ones(k) * 5).tolist() for k in sizes]
    codes = {
        "u_mean": rng.normal(size=(n, layout.u_size)),
        "u_logvar": rng.normal(size=(n, layout.u_size)),
        "z_mean": rng.normal(size=(n, d_z)),
        "z_logvar": rng.normal(size=(n, d_z)),
    }
    prior_mean = rng.normal(size=(sum(sizes), d_u))
    prior_logvar = rng.uniform(-2.9, 0.9, size=(sum(sizes), d_u))
    x, x_hat = rng.uniform(size=(n, 7)), rng.uniform(0.05, 0.95, size=(n, 7))
    log_likelihood = bernoulli_log_likelihood(x, x_hat)
    gamma = dict(zip(("x", "z", "u", "c", "h", "bc"), rng.uniform(0.5, 50, size=6).tolist(), strict=True))
    theta = float(rng.uniform(0, 0.5))

    ours = Objective(Weights(**gamma, threshold=theta), Capacities(z=7.0, u=5.0, steps=100))(
        Posterior(torch.tensor(log_q), *(torch.tensor(v) for v in codes.values())),
        prior_with(layout, pi, prior_mean, prior_logvar),
        Bernoulli().log_prob(torch.tensor(x_hat).logit(), torch.tensor(x)),
        step,
    )
    expected = objective(
        log_q_c=log_q,
        **codes,
        prior_mean=prior_mean,
        prior_logvar=prior_logvar,
        log_likelihood=log_likelihood,
        sizes=sizes,
        pi=pi,
        gamma=gamma,
        theta=theta,
        capacity_z=7.0 * min(1, step / 100),
        capacity_u=5.0 * min(1, step / 100),
    )
    for name, value in ours.weighted.items():
        assert value.item() == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name
    assert ours.total.item() == pytest.approx(expected["total"], rel=1e-9)


def test_the_gap_is_of_the_batch_mean_not_the_mean_of_gaps() -> None:
    kl = torch.tensor([2.0, 8.0])  # around a capacity of 5: the mean meets it, no observation does
    assert float(capacity_gap(kl.mean(), 5.0, width=0.0)) == 0.0
    layout = Partition((2,), u_dim=1, z_dim=1)
    mean = torch.tensor([[2.0], [4.0]], dtype=torch.float64)  # KLs of 2 and 8
    zero = torch.zeros(2, 1, dtype=torch.float64)
    posterior = Posterior(torch.full((2, 2), 0.5, dtype=torch.float64).log(), zero, zero, mean, zero)
    prior = prior_with(layout, [[0.5, 0.5]], torch.zeros(2, 1), torch.zeros(2, 1))
    terms = Objective(Weights(1, 15, 0, 0, 0, 0, 0), Capacities(z=5.0, u=0.0, steps=1))(
        posterior, prior, torch.zeros(2, dtype=torch.float64), step=1
    )
    assert float(terms.measured["z_kl"]) == 5.0
    assert float(terms.weighted["z_term"]) == 0.0


@given(st.floats(0, 40), st.floats(0, 40), st.sampled_from([0.0, 0.5, 1.0, 4.0]))
def test_a_gap_is_rounded_near_the_capacity_and_has_the_published_slope_elsewhere(
    kl: float, c: float, width: float
) -> None:
    distance = abs(c - kl)
    expected = distance if distance >= width else distance**2 / (2 * width) + width / 2
    slope = np.sign(kl - c) if distance >= width else (kl - c) / width
    given_kl = torch.tensor(kl, dtype=torch.float64, requires_grad=True)
    for allowed in (c, torch.tensor(c, dtype=torch.float64)):
        gap = capacity_gap(given_kl, allowed, width)
        assert gap.item() + width / 2 == pytest.approx(expected, abs=1e-12)
        assert torch.autograd.grad(gap, given_kl)[0].item() == pytest.approx(slope, abs=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_only_the_default_rounds_the_gap(name: str) -> None:
    objective = make_objective(Config.checked(preset(name)), (1, 32, 32), Schedule(1, 1))
    assert (objective.capacities.width > 0) == (name == "default")


def test_cross_entropy_averages_each_attribute_over_its_own_labels() -> None:
    layout = Partition((3, 2), u_dim=1, z_dim=0)
    logits = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_c = torch.cat([part.log_softmax(dim=-1) for part in layout.by_attribute(logits)], dim=-1)
    labels = torch.tensor([[2, -1], [0, 1], [-1, -1], [1, -1]])
    expected = -(log_c[0, 2] + log_c[1, 0] + log_c[3, 1]) / 3 - log_c[1, 4]
    torch.testing.assert_close(cross_entropy(log_c, targets_of(labels, layout), layout), expected)
    assert float(cross_entropy(log_c, targets_of(torch.full((4, 2), -1), layout), layout)) == 0.0


def test_capacity_grows_to_its_maximum_and_stays() -> None:
    assert [capacity(step, 7.0, 100) for step in (0, 25, 100, 101, 10**9)] == [0.0, 1.75, 7.0, 7.0, 7.0]
