"""After training the prior is where the codes are, and nothing else has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from partedvae import PartedVAE
from partedvae.prior_fit import Moments

Array = NDArray[Any]

SETTINGS: dict[str, Any] = {"u_dim": 3, "z_dim": 2, "hidden_dim": 32, "max_epochs": 12, "random_state": 0}


@pytest.fixture(scope="module", params=["pictures", "features", "two attributes"])
def pair(
    request: pytest.FixtureRequest, digits: tuple[Array, Array, Array], two_attributes: tuple[Array, Array]
) -> Any:
    """Observations, and two models that differ in whether the prior was fit."""
    x, y = (digits[0], digits[2]) if request.param != "two attributes" else two_attributes
    if request.param == "features":
        x = x.reshape(len(x), -1)
    return x, *(PartedVAE(**SETTINGS, fit_prior=fit).fit(x, y) for fit in (False, True))


def test_codes_keep_what_they_mean(pair: tuple[Array, PartedVAE, PartedVAE]) -> None:
    x, learned, fit = pair
    np.testing.assert_array_equal(fit.predict(x), learned.predict(x))
    np.testing.assert_array_equal(fit.encode(x).u, learned.encode(x).u)
    np.testing.assert_allclose(fit.reconstruct(x), learned.reconstruct(x), atol=2e-5)
    np.testing.assert_allclose(fit.swap(x, x[::-1]), learned.swap(x, x[::-1]), atol=2e-5)


def test_z_has_mean_0_and_variance_1_over_the_observations(pair: tuple[Array, PartedVAE, PartedVAE]) -> None:
    x, learned, fit = pair
    posterior = fit._infer(x)
    variance = posterior.z_logvar.exp().mean(dim=0).numpy() + posterior.z_mean.numpy().var(axis=0)
    np.testing.assert_allclose(fit.encode(x).z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(variance, 1, atol=1e-4)
    # The units are the only difference.
    other = learned.encode(x).z
    np.testing.assert_allclose(np.abs(np.corrcoef(other.T, fit.encode(x).z.T)[:2, 2:].diagonal()), 1, atol=1e-5)


def test_each_component_has_the_moments_of_its_class(pair: tuple[Array, PartedVAE, PartedVAE]) -> None:
    x, learned, fit = pair
    posterior, partition = learned._infer(x), learned.net_.partition
    first = 0
    for a, part in enumerate(partition.by_attribute(posterior.log_c)):
        block = slice(a * 3, a * 3 + 3)
        for k in range(part.shape[1]):
            rows = part.argmax(dim=1) == k
            mean, logvar = posterior.u_mean[rows, block].double(), posterior.u_logvar[rows, block].double()
            q = part[rows].double().exp().numpy()
            w = torch.from_numpy((1 - stats.entropy(q, axis=1) / np.log(q.shape[1])) ** 2)[:, None]
            found = fit.net_.prior.mean[first + k].detach(), fit.net_.prior.logvar[first + k].detach()
            if not rows.any() or w.sum() ** 2 / (w**2).sum() < 10:
                torch.testing.assert_close(found[0], learned.net_.prior.mean[first + k].detach())
                continue
            centre = (w * mean).sum(dim=0) / w.sum()
            expected = (w * (logvar.exp() + (mean - centre) ** 2)).sum(dim=0) / w.sum()
            torch.testing.assert_close(found[0].double(), centre, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(found[1].double(), expected.log().clamp(-2.999, 0.999), atol=1e-4, rtol=1e-4)
        first += part.shape[1]


def test_the_bound_on_the_likelihood_is_not_lower(pair: tuple[Array, PartedVAE, PartedVAE]) -> None:
    x, learned, fit = pair
    assert fit.score_samples(x).mean() >= learned.score_samples(x).mean() - 1e-3


def test_a_model_without_z_has_only_its_u_fitted(digits: tuple[Array, Array, Array]) -> None:
    x, _, few = digits
    learned, fit = (
        PartedVAE(**{**SETTINGS, "z_dim": 0, "max_epochs": 2, "fit_prior": on}).fit(x, few) for on in (False, True)
    )
    assert not torch.equal(fit.net_.prior.mean, learned.net_.prior.mean)
    np.testing.assert_array_equal(fit.reconstruct(x), learned.reconstruct(x))


def test_moments_of_a_mixture_in_parts() -> None:
    rng = np.random.default_rng(0)
    weights, mean, logvar = (torch.from_numpy(rng.normal(size=shape)) for shape in ((50, 2), (50, 2, 3), (50, 2, 3)))
    weights = weights.abs()
    moments = Moments(2, 3)
    for rows in (slice(0, 20), slice(20, 50)):
        moments.add(weights[rows], mean[rows], logvar[rows])
    for k in range(2):
        w = (weights[:, k] / weights[:, k].sum()).numpy()[:, None]
        expected = (w * mean[:, k].numpy()).sum(axis=0)
        np.testing.assert_allclose(moments.mean[k], expected)
        within, between = (w * np.exp(logvar[:, k].numpy())).sum(axis=0), (w * (mean[:, k].numpy() - expected) ** 2)
        np.testing.assert_allclose(moments.variance[k], within + between.sum(axis=0))
    equal = Moments(1, 3)
    equal.add(0.2 * torch.ones(50, 1), mean[:, :1], logvar[:, :1])
    np.testing.assert_allclose(equal.n_rows, 50)
    assert (Moments(1, 3).n_rows == 0).all()
