"""A thousand classes cost little, and what is left out of pairs is what has no gradient."""

from __future__ import annotations

import math

import pytest
import torch

from partedvae.divergences import kl_normal, kl_normal_each
from partedvae.objective import excess_overlap
from partedvae.partition import Partition
from partedvae.prior import MixturePrior

THETA = 0.15


def prior(n_classes: int, u_dim: int, spread: float = 1.0) -> MixturePrior:
    torch.manual_seed(0)
    made = MixturePrior(Partition((n_classes, 3), u_dim, 1), torch.ones(n_classes + 3)).double()
    with torch.no_grad():
        made.mean.mul_(spread)
    return made


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("n_classes", "u_dim"), [(101, 1), (150, 4), (300, 10)])
def test_pairs_that_are_left_out_have_no_gradient(n_classes: int, u_dim: int, spread: float) -> None:
    whole, sparing = prior(n_classes, u_dim, spread), prior(n_classes, u_dim, spread)
    everything, found = whole.overlaps(), sparing.overlaps(above=THETA)
    assert [len(part) for part in everything] == [math.comb(n_classes, 2), 3]
    assert len(found[0]) == int((everything[0] > THETA).sum())
    losses = [excess_overlap(parts, THETA) for parts in (everything, found)]
    torch.testing.assert_close(*losses)
    if not losses[1].requires_grad:
        assert float(losses[0].detach()) == 0
        return
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(whole.mean.grad, sparing.mean.grad)
    torch.testing.assert_close(whole.raw_logvar.grad, sparing.raw_logvar.grad)


def test_the_mean_over_random_pairs_is_near_that_over_all() -> None:
    made = prior(300, 2)
    everything = made.overlaps()
    of_all = torch.cat([everything[0], everything[1]]).mean()
    said = made.mean_overlap(made.overlaps(above=THETA))
    assert float(said) == pytest.approx(float(of_all.detach()), rel=0.1)
    few = prior(50, 2)
    parts = few.overlaps()
    torch.testing.assert_close(few.mean_overlap(parts), torch.cat(parts).mean().detach())


def test_kl_to_many_is_that_to_each() -> None:
    draw = torch.Generator().manual_seed(0)
    mean, logvar = torch.randn(2, 7, 5, generator=draw, dtype=torch.float64)
    others = 3 * torch.randn(2, 11, 5, generator=draw, dtype=torch.float64)
    each = kl_normal_each(mean, logvar, *others)
    torch.testing.assert_close(each, kl_normal(mean[:, None], logvar[:, None], *others))
    single = kl_normal_each(mean.float(), logvar.float(), *others.float())
    torch.testing.assert_close(single.double(), each, rtol=1e-5, atol=1e-4)


def test_the_prior_uses_it_for_many_classes_of_several_attributes() -> None:
    made = prior(120, 4)
    u_mean, u_logvar = torch.randn(2, 6, 8, dtype=torch.float64)
    found = made.divergence(u_mean, u_logvar)
    means, logvars = (part.unflatten(1, (2, 4))[:, made.attribute] for part in (u_mean, u_logvar))
    torch.testing.assert_close(found, kl_normal(means, logvars, made.mean, made.logvar))
