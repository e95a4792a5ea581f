"""Each measure against slow re-computations, and against Google's."""

from __future__ import annotations

import numpy as np
import pytest

import oracles_metrics as oracle
from known_codes import PUBLISHED, SMALL, SMALL_TEST, noisy, published
from partedvae.metrics import beta_vae, dci, explicitness, factor_vae, irs, mig, modularity, sap
from partedvae.metrics.interventions import distances, variances


def test_information_against_loops() -> None:
    assert mig(*SMALL) == pytest.approx(oracle.mig(*SMALL), abs=1e-9)
    assert modularity(*SMALL) == pytest.approx(oracle.modularity(*SMALL), abs=1e-9)
    assert mig(*SMALL).mutual_information == pytest.approx(np.array(oracle.information_table(*SMALL)), abs=1e-9)


def test_sap_against_loops() -> None:
    assert sap(*SMALL, *SMALL_TEST) == pytest.approx(oracle.sap(*SMALL, *SMALL_TEST), abs=1e-9)
    assert sap(*SMALL, continuous=True) == pytest.approx(oracle.sap_continuous(*SMALL), abs=1e-9)


def test_explicitness_against_a_general_minimiser() -> None:
    # Both stop near the minimum; a pair of test rows may change its order on the last of the way.
    assert explicitness(*SMALL, *SMALL_TEST) == pytest.approx(oracle.explicitness(*SMALL, *SMALL_TEST), abs=1e-4)


def test_dci_against_loops() -> None:
    score = dci(*SMALL, *SMALL_TEST)
    found = (score.disentanglement, score.completeness, score.informativeness)
    seed = int(np.random.default_rng(0).integers(2**31))  # trees break ties at random
    assert found == pytest.approx(oracle.dci(*SMALL, *SMALL_TEST, seed=seed), abs=1e-6)
    assert score == pytest.approx(oracle.concentration(score.importance.tolist()), abs=1e-9)
    assert score.completeness == pytest.approx(oracle.concentration(score.importance.T.tolist()), abs=1e-9)


def test_irs_against_loops() -> None:
    assert irs(*SMALL) == pytest.approx(oracle.irs(*SMALL), abs=1e-9)


def test_groups_against_loops() -> None:
    codes = SMALL[0]
    groups, others = np.random.default_rng(0).integers(len(codes), size=(2, 30, 16))
    slow = [[oracle.variance(codes[group, d].tolist()) for d in range(codes.shape[1])] for group in groups]
    assert variances(codes, groups) == pytest.approx(np.array(slow), abs=1e-9)
    assert distances(codes, groups, others) == pytest.approx(np.array(oracle.pair_distances(codes, groups, others)))


def test_factor_vae_against_loops_that_draw_on_their_own() -> None:
    codes, factors = noisy(4, 300, scale=1.2)
    slow = oracle.factor_vae(codes, factors, n_train=600, n_eval=600, seed=0)
    fast = factor_vae(codes, factors)
    assert 0.5 < fast < 0.97
    assert fast == pytest.approx(slow, abs=0.06)


def test_factor_vae_is_made_of_its_votes() -> None:
    score = factor_vae(*noisy(4, 300, scale=1.2), n_train=3000, n_eval=2000)
    assert (score.votes.sum(), score.evaluation_votes.sum()) == (3000, 2000)
    right = sum(score.evaluation_votes[score.votes[:, d].argmax(), d] for d in range(4))
    assert score == right / 2000


def test_beta_vae_is_made_of_its_confusion() -> None:
    score = beta_vae(*noisy(4, 300, scale=1.2), n_train=3000, n_eval=2000)
    assert score.confusion.sum() == 2000
    assert score == np.trace(score.confusion) / 2000
    assert score.training_accuracy == pytest.approx(score, abs=0.05)


def test_google_computes_the_same() -> None:
    """Its numbers for the same rows, from its pure NumPy parts and scikit-learn 1.9.1."""
    (codes, factors), test = published(0, PUBLISHED[1]), published(1, PUBLISHED[2])
    assert mig(codes, factors) == pytest.approx(0.6463566046974490, abs=1e-9)
    assert modularity(codes, factors) == pytest.approx(0.9755511483439094, abs=1e-9)
    assert sap(codes, factors, *test) == pytest.approx(0.3225, abs=1e-3)
    assert sap(codes, factors, continuous=True) == pytest.approx(0.7100861742566278, abs=1e-9)
    assert explicitness(codes, factors, *test, multinomial=True) == pytest.approx(0.973900156209797, abs=1e-5)
    assert irs(codes, factors) == pytest.approx(0.4323480878718162, abs=1e-9)


@pytest.mark.slow
def test_google_grows_the_same_trees() -> None:
    score = dci(*published(0, PUBLISHED[1]), *published(1, PUBLISHED[2]))
    assert score.disentanglement == pytest.approx(0.6649188777897385, abs=2e-3)
    assert score.completeness == pytest.approx(0.6690277446434183, abs=2e-3)
    assert score.informativeness == pytest.approx(0.8695833333333334, abs=5e-3)


def test_fast_trees_are_near_the_reference() -> None:
    rows = noisy(1, 500, scale=0.2)
    fast, boosted = dci(*rows, trees="fast"), dci(*rows)
    assert fast.disentanglement == pytest.approx(boosted.disentanglement, abs=0.1)
    assert fast.completeness == pytest.approx(boosted.completeness, abs=0.1)
    assert fast.informativeness == pytest.approx(boosted.informativeness, abs=0.1)
