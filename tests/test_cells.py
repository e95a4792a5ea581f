"""Cells by genes: AnnData's files, dense or sparse, and sparse matrices given as they are."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from command_line import QUICK, call
from partedvae import PartedVAE
from partedvae.data import DataError, cache, load, omics
from partedvae.data.sparse import SparseRows
from partedvae.metrics.evaluation import _taught, evaluate

Array = NDArray[Any]

N, GENES = 36, 9
KINDS = ["B", "T", "Unknown"]
SHAPES = {"dense": np.asarray, "csr": sp.csr_matrix, "csc": sp.csc_matrix, "array": sp.csr_array, "doubles": np.float64}


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "max_epochs": 2, "random_state": 0, **settings})


def same(first: PartedVAE, second: PartedVAE) -> bool:
    weights = second.net_.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in first.net_.state_dict().items())


def counts() -> Array:
    """Few molecules of each gene: most of them none. Cells of one kind have more of the first genes."""
    rate = np.where((np.arange(N)[:, None] % 3 == 0) & (np.arange(GENES) < 3), 4.0, 0.5)
    return np.random.default_rng(0).poisson(rate).astype(np.float32)


def write(path: Path, x: Any, obs: dict[str, Any] | None = None, genes: Any = None, **options: Any) -> Path:
    """An ``.h5ad`` of cells c0, c1 … with columns of ``obs``; by default their kind, as categories."""
    kind = {"kind": pd.Categorical(KINDS * (N // 3))}
    table = pd.DataFrame(kind if obs is None else obs, index=[f"c{row}" for row in range(N)])
    names = pd.DataFrame(index=[f"g{gene}" for gene in range(GENES)] if genes is None else genes)
    anndata.AnnData(x, obs=table, var=names).write_h5ad(path, **options)
    return path


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return write(tmp_path / "cells.h5ad", counts())


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_have_the_names_and_kinds_of_their_file(tmp_path: Path, shape: str) -> None:
    path = write(tmp_path / "cells.h5ad", SHAPES[shape](counts()))
    data = load(str(path), missing=("Unknown",))
    np.testing.assert_array_equal(data.array, counts())
    assert data.array.dtype == np.float32
    assert data.ids[:2] == ("c0", "c1")
    assert data.feature_names == tuple(f"g{gene}" for gene in range(GENES))
    assert data.y.tolist() == ["B", "T", None] * 12
    assert [(a.name, a.classes.tolist()) for a in data.attributes] == [("kind", ["B", "T"])]
    assert isinstance(data.x, SparseRows) == (shape in ("csr", "csc", "array"))


def test_labels_are_columns_of_obs_by_name_or_the_only_one_of_categories_or_text(tmp_path: Path) -> None:
    obs = {"kind": pd.Categorical(["B", "T", None] * 12), "batch": ["x", "y"] * 18, "size": np.arange(N) % 4}
    path = str(write(tmp_path / "cells.h5ad", counts(), obs))
    with pytest.raises(DataError, match=r"labels could be kind, batch\. Name them with --label-columns"):
        load(path)
    assert load(path, labels=("kind",)).y[:3].tolist() == ["B", "T", None]
    assert load(path, labels=("size", "batch")).y[:2].tolist() == [[0, "x"], [1, "y"]]
    with pytest.raises(DataError, match=r"^--label-columns colour: obs of .* has kind, batch, size"):
        load(path, labels=("colour",))
    text = write(tmp_path / "text.h5ad", counts(), {"kind": ["B", "", "T"] * 12, "size": np.arange(N)})
    assert load(str(text)).y[:3].tolist() == ["B", None, "T"]


def test_columns_of_obs_are_not_asked_for_where_labels_come_from_elsewhere(tmp_path: Path) -> None:
    obs = {"kind": pd.Categorical(["B", "T", None] * 12), "batch": ["x", "y"] * 18}
    path = write(tmp_path / "cells.h5ad", counts(), obs)
    (tmp_path / "labels.csv").write_text("id,state\nc0,old\nc5,new\n")
    data = load(str(path), label_file=str(tmp_path / "labels.csv"))
    assert [(a.name, a.classes.tolist()) for a in data.attributes] == [("state", ["new", "old"])]
    quick().fit(counts(), np.arange(N) % 2).save(tmp_path / "unnamed")
    done = call("predict", tmp_path / "unnamed", path, "-o", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_is_read_in_place_of_x(tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WORTH_A_FILE", 0)  # and kept apart from X
    path = write(tmp_path / "cells.h5ad", SHAPES[shape](counts()))
    whole = anndata.read_h5ad(path)
    whole.layers["doubled"] = SHAPES[shape](2 * counts())
    whole.write_h5ad(path)
    np.testing.assert_array_equal(load(str(path)).array, counts())
    np.testing.assert_array_equal(load(str(path), layer="doubled").array, 2 * counts())
    np.testing.assert_array_equal(load(str(path)).array, counts())
    with pytest.raises(DataError, match=r"^--layer raw: .* has the layers doubled, and X\.$"):
        load(str(path), layer="raw")
    del whole.X
    whole.write_h5ad(path)
    with pytest.raises(DataError, match="object 'X'"):
        load(str(path))
    np.testing.assert_array_equal(load(str(path), layer="doubled").array, 2 * counts())


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # the report's own call
def test_a_run_remembers_the_layer(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.h5ad", counts())
    whole = anndata.read_h5ad(path)
    whole.layers["doubled"] = 2 * counts()
    whole.write_h5ad(path)
    run = tmp_path / "run"
    assert call("train", path, "--layer", "doubled", "--out", run, "--quiet", *QUICK).returncode == 0
    told = []
    for extra in ((), ("--layer", "doubled"), ("--layer", "X")):
        assert call("predict", run, path, "-o", tmp_path / "p.csv", *extra).returncode == 0
        told.append((tmp_path / "p.csv").read_text())
    assert told[0] == told[1] != told[2]


def test_cells_may_have_no_labels(tmp_path: Path) -> None:
    without = write(tmp_path / "without.h5ad", counts(), {})
    nothing = write(tmp_path / "nothing.h5ad", counts(), {"kind": pd.Categorical([None] * N, categories=["B"])})
    for path in (without, nothing):
        assert load(str(path)).attributes == ()
    with pytest.raises(DataError, match=r"obs of .* has no columns"):
        load(str(without), labels=("kind",))


@pytest.mark.parametrize("shape", ["dense", "csc"])
def test_some_rows_are_the_same_choice_each_time(tmp_path: Path, shape: str) -> None:
    path = write(tmp_path / "cells.h5ad", SHAPES[shape](counts()))
    few = load(str(path), max_rows=7)
    rows = [int(name[1:]) for name in few.ids]
    np.testing.assert_array_equal(few.array, counts()[rows])
    assert few.y.tolist() == [KINDS[row % 3] for row in rows]
    assert load(str(path), max_rows=7).ids == few.ids


def test_a_large_matrix_is_mapped_from_a_file_of_the_cache(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(load(str(cells)).x, np.memmap)
    monkeypatch.setattr(cache, "WORTH_A_FILE", 0)
    monkeypatch.setattr(omics, "_BYTES_AT_ONCE", 5 * 4 * GENES)
    data = load(str(cells))
    assert isinstance(data.x, np.memmap)
    np.testing.assert_array_equal(data.array, counts())
    assert not isinstance(load(str(cells), cache=False).x, np.memmap)
    write(cells, counts() + 1)
    np.testing.assert_array_equal(load(str(cells)).array, counts() + 1)


# ---------------------------------------------------------------------------------------------------------- damage


def _overwritten(path: Path, member: str, content: bytes) -> None:
    with h5py.File(path) as file:
        part = file[member].id
        start = part.get_chunk_info(0).byte_offset if file[member].chunks else part.get_offset()
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(content)


def _without(path: Path, member: str) -> None:
    with h5py.File(path, "a") as file:
        del file[member]


@pytest.mark.parametrize(
    ("shape", "damage"),
    [
        ("dense", lambda path: path.write_bytes(b"")),
        ("dense", lambda path: path.write_bytes(b"not HDF5 at all")),
        ("dense", lambda path: path.write_bytes(path.read_bytes()[:5000])),
        ("dense", lambda path: _without(path, "X")),
        ("dense", lambda path: _without(path, "obs")),
        ("csr", lambda path: _without(path, "X/indices")),
        ("dense", lambda path: _overwritten(path, "X", b"\xff" * 20)),
        ("csr", lambda path: _overwritten(path, "X/data", b"\xff" * 20)),
    ],
)
@pytest.mark.parametrize("worth_a_file", [0, 2**28])
def test_a_damaged_file_is_named(
    tmp_path: Path, shape: str, damage: Any, worth_a_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "WORTH_A_FILE", worth_a_file)
    path = write(tmp_path / "bad.h5ad", SHAPES[shape](counts()), compression="gzip")
    damage(path)
    with pytest.raises(DataError, match=r"bad\.h5ad cannot be read"):
        load(str(path))


def test_numbers_of_genes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.h5ad", sp.csr_matrix(counts()))
    _overwritten(path, "X/indices", np.array([10**6], dtype=np.int32).tobytes())
    with pytest.raises(DataError, match=r"bad\.h5ad cannot be read"):
        load(str(path))


def test_a_file_without_cells_is_refused(tmp_path: Path) -> None:
    anndata.AnnData(np.zeros((0, 3), dtype=np.float32)).write_h5ad(tmp_path / "empty.h5ad")
    with pytest.raises(DataError, match=r"empty\.h5ad has 0 cells of 3 genes"):
        load(str(tmp_path / "empty.h5ad"))


# -------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("shape", ["csr", "csc"])
def test_a_model_learns_the_same_of_a_sparse_file_as_of_a_dense_one(cells: Path, tmp_path: Path, shape: str) -> None:
    sparse = write(tmp_path / "sparse.h5ad", SHAPES[shape](counts()))
    models = [quick().fit(load(str(path), missing=("Unknown",))) for path in (cells, sparse)]
    assert same(*models)
    assert models[0].feature_names_in_.tolist() == [f"g{gene}" for gene in range(GENES)]


def test_genes_in_another_order_are_refused_by_name(cells: Path, tmp_path: Path) -> None:
    model = quick().fit(load(str(cells)))
    for shape in ("dense", "csr"):
        genes = ["g0", "g2", "g1", *(f"g{gene}" for gene in range(3, GENES))]
        other = write(tmp_path / "other.h5ad", SHAPES[shape](counts()), {}, genes=genes)
        with pytest.raises(ValueError, match="X has the feature 'g2' where fit saw 'g1'"):
            model.predict(load(str(other)))


def test_a_frame_of_sparse_columns_is_the_dense_one() -> None:
    y = np.where(np.arange(N) % 2, np.arange(N) % 3, -1)
    dense = pd.DataFrame(counts(), columns=[f"g{gene}" for gene in range(GENES)])
    sparse = dense.astype(pd.SparseDtype(float, 0.0))
    model, other = quick().fit(dense, y), quick().fit(sparse, y)
    assert same(model, other)
    assert other.feature_names_in_.tolist() == model.feature_names_in_.tolist()
    np.testing.assert_array_equal(other.predict(sparse), model.predict(dense))
    with pytest.raises(ValueError, match="X has the feature 'g2' where fit saw 'g1'"):
        model.predict(sparse[["g0", "g2", "g1", *dense.columns[3:]]])
    assert not hasattr(quick().fit(sparse.set_axis(range(GENES), axis=1), y), "feature_names_in_")


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array, sp.coo_matrix])
@pytest.mark.parametrize("kind", ["counts", "binary", "integers"])
def test_a_sparse_matrix_is_the_dense_one(make: Any, kind: str) -> None:
    binary = np.random.default_rng(0).integers(2, size=(N, GENES)).astype(float)
    dense = {"counts": counts(), "binary": binary, "integers": counts().astype(int)}[kind]
    y = np.where(np.arange(N) % 2, np.arange(N) % 3, -1)
    model, other = quick().fit(dense, y), quick().fit(make(dense), y)
    assert same(model, other)
    assert model.likelihood_ == ("bernoulli" if kind == "binary" else "gaussian")
    for name in ("predict", "transform", "score_samples", "reconstruct"):
        np.testing.assert_array_equal(getattr(model, name)(make(dense)), getattr(model, name)(dense))
    assert model.score(make(dense), y) == model.score(dense, y)
    validated = [quick(validation_fraction=0.25).fit(x, y).history_ for x in (dense, make(dense))]
    assert validated[0] == validated[1]


def test_what_is_wrong_in_a_sparse_matrix_is_refused() -> None:
    x = counts()
    x[5, 7] = np.nan
    with pytest.raises(ValueError, match="NaN at row 5, column 7"):
        quick().fit(sp.csr_matrix(x), np.arange(N) % 2)
    with pytest.raises(ValueError, match=r"shape \(4\); fit saw \(9\)"):
        quick().fit(sp.csr_matrix(counts()), np.arange(N) % 2).predict(sp.csr_matrix(counts()[:, :4]))


# -------------------------------------------------------------------------------------------------- the command line


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # the report's own call
@pytest.mark.parametrize("shape", ["dense", "csr"])
def test_cells_train_and_predict_from_the_command_line(tmp_path: Path, shape: str) -> None:
    path = write(tmp_path / "cells.h5ad", SHAPES[shape](counts()), {"kind": KINDS * 12, "size": np.arange(N)})
    described = call("data", "describe", path, "--missing", "Unknown")
    assert described.returncode == 0, described.stderr
    assert "36 observations, 9 features, float32" in described.stdout
    assert "kind: 24 labelled, 12 unlabelled; 2 classes: B 12, T 12" in described.stdout
    done = call("train", path, "--missing", "Unknown", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert call("predict", tmp_path / "run", path, "-o", tmp_path / "p.csv").returncode == 0
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"c{row}" for row in range(N)]
    assert {row["label"] for row in rows} <= {"B", "T"}


@pytest.mark.parametrize("shape", ["dense", "csr", "csc"])
def test_the_genes_of_a_model_are_found_in_any_order_among_others(tmp_path: Path, shape: str) -> None:
    x, run = counts(), tmp_path / "run"
    own = write(tmp_path / "cells.h5ad", SHAPES[shape](x))
    assert call("train", own, "--missing", "Unknown", "--out", run, *QUICK, "--quiet").returncode == 0
    order = [*range(GENES - 1, -1, -1)]
    more = np.column_stack([x[:, order], np.ones((N, 2), np.float32)])
    names = [*(f"g{gene}" for gene in order), "new", "newer"]
    other = write(tmp_path / "other.h5ad", SHAPES[shape](more), genes=names)
    for path, answers in ((own, "own.csv"), (other, "other.csv")):
        done = call("predict", run, path, "-o", tmp_path / answers)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "own.csv").read_text() == (tmp_path / "other.csv").read_text()
    fewer = write(tmp_path / "fewer.h5ad", SHAPES[shape](x[:, :4]), genes=names[5:9])
    done = call("predict", run, fewer, "-o", tmp_path / "none.csv")
    assert done.returncode == 1
    assert "fewer.h5ad has no gene g4, nor 4 more that are asked for; it has 4, such as g3." in done.stderr
    warnings.filterwarnings("ignore", message="Variable names are not unique")  # which is AnnData's advice
    twice = write(tmp_path / "twice.h5ad", SHAPES[shape](more), genes=[*names[:-2], "g1", "new"])
    assert "two genes are called g1" in call("predict", run, twice, "-o", tmp_path / "none.csv").stderr
    some = load(str(own), features=("g3", "g1"), missing=("Unknown",))
    np.testing.assert_array_equal(some.array, x[:, [3, 1]])
    assert some.feature_names == ("g3", "g1")


def test_numbers_that_32_bits_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    times = counts().astype(np.float64)
    times[:, 3] = 1.7e9 + np.arange(N)
    for shape in (np.asarray, sp.csr_matrix):
        path = write(tmp_path / "cells.h5ad", shape(times))
        with pytest.raises(ValueError, match=r"(?i)column (g3|3) .*32"):
            quick().fit(load(str(path), missing=("Unknown",)))


def test_cells_are_measured_by_the_genes_of_fit_only(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.h5ad", counts())
    model = quick().fit(load(str(path)))
    turned = anndata.read_h5ad(path)[:, ::-1].copy()
    turned.write_h5ad(tmp_path / "turned.h5ad")
    other = load(str(tmp_path / "turned.h5ad"))
    for ask in (lambda: evaluate(model, other), lambda: _taught(model, other, 0)):
        with pytest.raises(ValueError, match=r"feature 'g8' where fit saw 'g0'"):
            ask()
