"""The estimator where scikit-learn's own tools hold it: its checks, clones, pipelines, searches, several processes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from partedvae import PartedVAE
from partedvae.checkpoint_files import LAST

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 2, "hidden_dim": 16, "random_state": 0, **settings})


def test_clones_pickles_and_pipelines(digits: Digits) -> None:
    x, y, few = digits
    model = quick()
    assert clone(model).get_params() == model.get_params()
    model.fit(x, few)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(x), model.predict_proba(x))  # noqa: S301  # our own bytes
    pipeline = make_pipeline(FunctionTransformer(lambda images: images * 255), quick()).fit(x, few)
    assert pipeline.predict(x).shape == (300,)
    flat = x.reshape(300, 64)
    search = GridSearchCV(quick(), {"z_dim": [0, 2]}, cv=2).fit(flat, y)
    assert search.best_params_["z_dim"] in (0, 2)
    framed = quick().set_output(transform="pandas").fit(flat, few).transform(flat)
    assert framed.columns.tolist() == ["u0", "u1", "z0", "z1"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_finds_nothing_wrong() -> None:
    minus_one = {"check_classifiers_classes": "it takes -1 for a class, which marks an unlabelled row here"}
    results = check_estimator(
        PartedVAE(u_dim=2, z_dim=2, max_epochs=12, hidden_dim=32, random_state=0),
        expected_failed_checks=minus_one,
        on_fail=None,
        on_skip=None,
    )
    failed = {result["check_name"]: repr(result["exception"]) for result in results if result["status"] == "failed"}
    assert not failed
    # An array library that scikit-learn reads only where SCIPY_ARRAY_API is set.
    assert {result["check_name"] for result in results if result["status"] == "skipped"} <= {"check_array_api_input"}


@pytest.mark.filterwarnings("ignore")
def test_folds_with_missing_labels_score_by_those_that_are_known_in_one_process_or_two(digits: Digits) -> None:
    x, _, few = digits
    flat = x.reshape(300, 64)
    alone, together = (cross_val_score(quick(), flat, few, cv=2, n_jobs=n, error_score="raise") for n in (1, 2))
    np.testing.assert_allclose(alone, together, atol=0.02)
    known = few >= 0
    model = quick().fit(flat, few)
    assert model.score(flat, few) == np.mean(model.predict(flat[known]) == few[known])


def test_what_fit_takes_beside_data_is_routed(digits: Digits, tmp_path: Path) -> None:
    x, y, few = digits
    flat = x.reshape(300, 64)
    with sklearn.config_context(enable_metadata_routing=True):
        asks = quick(max_epochs=1).set_fit_request(checkpoints=True)
        make_pipeline(StandardScaler(), asks).fit(flat, few, checkpoints=tmp_path / "pipeline")
        cross_validate(asks, flat, y, cv=2, params={"checkpoints": tmp_path / "folds"}, error_score="raise")
    assert (tmp_path / "pipeline" / LAST).exists()
    assert (tmp_path / "folds" / LAST).exists()
