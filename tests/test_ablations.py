"""The ideas of the paper that a setting takes away: each takes away exactly that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.distributions import Independent, Normal, kl_divergence

from partedvae import PartedVAE
from partedvae.config import Config
from partedvae.factory import Schedule, make_objective
from partedvae.likelihoods import Bernoulli
from partedvae.model import PartedModel
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.report.sections import all_sections
from partedvae.report.subject import Subject
from partedvae.scaling import Scaling

Array = NDArray[Any]

LAYOUT = Partition((3, 2), u_dim=4, z_dim=2)
CLASSES = torch.eye(5)[[0, 1, 2, 0, 1]] + torch.eye(5)[[3, 4, 3, 4, 3]]


def test_without_attention_u_does_not_know_the_class() -> None:
    torch.manual_seed(0)
    h = torch.rand(5, 16)
    for attention, same in ((False, True), (True, False)):
        model = PartedModel(Scaling((12,)), LAYOUT, torch.ones(5), Bernoulli(), 16, attention=attention)
        mean, logvar = model.class_related(h, CLASSES)
        other_mean, other_logvar = model.class_related(h, CLASSES.flip(0))
        assert torch.equal(mean, other_mean) is same
        assert torch.equal(logvar, other_logvar) is same


def test_a_normal_prior_is_standard_and_is_not_learned() -> None:
    torch.manual_seed(0)
    prior = MixturePrior(LAYOUT, torch.ones(5), learnable=False)
    assert list(prior.parameters()) == []
    mean, logvar = torch.randn(6, 8), torch.randn(6, 8)
    standard = Independent(Normal(torch.zeros(4), torch.ones(4)), 1)
    for a, size in enumerate((3, 2)):
        block = slice(4 * a, 4 * a + 4)
        q = Independent(Normal(mean[:, block], (0.5 * logvar[:, block]).exp()), 1)
        expected = kl_divergence(q, standard)[:, None].expand(-1, size)
        first = LAYOUT.first_class[a]
        torch.testing.assert_close(prior.divergence(mean, logvar)[:, first : first + size], expected)
    objective = make_objective(Config(prior="normal"), (12,), Schedule(10, 10))
    assert objective.weights.bc == 0  # classes that are the same cannot part: their overlap would only add a constant


def test_without_supervision_labels_teach_nothing(digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    shuffled = np.random.default_rng(0).permutation(y)
    histories = {
        supervised: [
            PartedVAE(max_epochs=1, hidden_dim=16, supervised=supervised, random_state=0).fit(x, given).history_[0]
            for given in (y, shuffled)
        ]
        for supervised in (True, False)
    }
    assert histories[False][0]["loss"] == histories[False][1]["loss"]
    assert histories[True][0]["loss"] != histories[True][1]["loss"]


@pytest.mark.parametrize("removed", [{"attention": False}, {"prior": "normal"}, {"supervised": False}])
def test_what_is_taken_away_stays_away_when_saved(
    removed: dict[str, Any], digits: tuple[Array, Array, Array], tmp_path: Path
) -> None:
    x, y, _ = digits
    model = PartedVAE(max_epochs=1, hidden_dim=16, random_state=0, **removed).fit(x, y)
    model.save(tmp_path / "run")
    loaded = PartedVAE.load(tmp_path / "run")
    assert {name: getattr(loaded, name) for name in removed} == removed
    np.testing.assert_array_equal(loaded.transform(x), model.transform(x))
    np.testing.assert_array_equal(loaded.sample(3, random_state=0), model.sample(3, random_state=0))


def test_a_report_without_attention_has_no_masks_to_show(digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    model = PartedVAE(max_epochs=1, hidden_dim=16, attention=False, random_state=0).fit(x, y)
    titles = [section.title for section in all_sections(Subject(model, x, y[:, None], unseen=True))]
    assert len(titles) > 8
    assert not any("attention" in title for title in titles)
