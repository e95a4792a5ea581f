"""AnnData's ``.h5ad``: cells by genes, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from partedvae.data.arrays import encode_labels
from partedvae.data.cache import stored_rows
from partedvae.data.dataset import DataError, Dataset
from partedvae.data.extras import require
from partedvae.data.faults import naming
from partedvae.data.lazy import Rows
from partedvae.data.reading import Reading
from partedvae.data.rounding import Rounding
from partedvae.data.sparse import SparseRows
from partedvae.data.subsets import random_rows
from partedvae.labels import Attribute, first_repeated

Array = NDArray[Any]

_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # how it shows
_BYTES_AT_ONCE = 2**26


def read_h5ad(path: Path, reading: Reading) -> Dataset:
    """Cells ``X`` with labels from columns of ``obs``; names of cells are ids, names of genes those of features.

    ``reading.layer`` is read in place of ``X``, and the genes ``reading.features``, in that order, if some are named.
    The labels are ``reading.labels``, else, unless they come from a label
    file, the only column of ``obs`` that is categorical or text; a category that means unlabelled is named by
    ``reading.missing``.

    Raises:
        DataError: the file is damaged, has no such column, layer or gene, or more than one column that labels could be.
    """
    anndata = require("anndata", "omics", f"{path} is an AnnData file")
    with naming(path, *_DAMAGE):
        cells = anndata.read_h5ad(path, backed="r")
    try:
        if not cells.n_obs or not cells.n_vars:
            raise DataError(f"{path} has {cells.n_obs} cells of {cells.n_vars} genes.")
        codes, attributes = _labels(cells.obs, path, reading)
        genes = tuple(map(str, cells.var_names))
        chosen = _chosen(genes, path, reading.features)
        names = genes if chosen is None else tuple(genes[gene] for gene in chosen)
        x = _matrix(cells, path, reading, names, chosen)
        ids = tuple(map(str, cells.obs_names))
    finally:
        cells.file.close()
    data = Dataset(x, codes, attributes, ids, names)
    return data if reading.max_rows is None else data.take(random_rows(len(data), reading.max_rows))


def _labels(obs: Any, path: Path, reading: Reading) -> tuple[NDArray[np.int64], tuple[Attribute, ...]]:
    columns = [str(name) for name in obs.columns]
    named = reading.labels_among(columns) if reading.label_file is None else ()
    if named is not None:
        unknown = [name for name in named if name not in columns]
        if unknown:
            raise DataError(f"--label-columns {unknown[0]}: obs of {path} has {', '.join(columns) or 'no columns'}.")
        chosen = list(named)
    else:
        chosen = [name for name in columns if str(obs[name].dtype) in ("category", "object", "str", "string")]
        if len(chosen) > 1:
            raise DataError(f"{path}: labels could be {', '.join(chosen)}. Name them with --label-columns.")
    if not chosen:
        return np.empty((len(obs), 0), dtype=np.int64), ()
    parts, attributes = [], []
    for name in chosen:
        codes, made = encode_labels(_column(obs[name]), len(obs), f"{path}, obs {name}", reading)
        parts.append(codes)  # without any column if the whole column is unlabelled
        attributes += [Attribute(name, attribute.classes) for attribute in made]
    return np.concatenate(parts, axis=1), tuple(attributes)


def _column(series: Any) -> Array:
    values = np.array(series.astype(object).tolist(), dtype=object)
    values[series.isna().to_numpy()] = None
    return values


def _chosen(genes: tuple[str, ...], path: Path, features: tuple[str, ...] | None) -> list[int] | None:
    """Where the genes that are asked for stand; ``None`` if they are all there are, in their order."""
    if features is None or features == genes:
        return None
    place = {name: number for number, name in enumerate(genes)}
    absent = [name for name in features if name not in place]
    if absent:
        more = f", nor {len(absent) - 1:,} more that are asked for" if len(absent) > 1 else ""
        raise DataError(f"{path} has no gene {absent[0]}{more}; it has {len(genes):,}, such as {genes[0]}.")
    twice = first_repeated([name for name in genes if name in set(features)])
    if twice is not None:
        raise DataError(f"{path}: two genes are called {twice}, and one is asked for by its name.")
    return [place[name] for name in features]


def _matrix(cells: Any, path: Path, reading: Reading, names: Sequence[str], chosen: list[int] | None) -> Rows:
    layer = None if reading.layer == "X" and "X" not in cells.layers else reading.layer
    if layer is not None and layer not in cells.layers:
        raise DataError(f"--layer {layer}: {path} has the layers {', '.join(map(str, cells.layers)) or 'none'}, and X.")
    with naming(path, *_DAMAGE):
        x = cells.X if layer is None else cells.layers[layer]
        if hasattr(x, "to_memory"):  # sparse, on disk; layers are read with the file
            x = x.to_memory()
        if issparse(x):
            x.check_format()  # a number of a column that is not there would be written to where it points
            return SparseRows(x if chosen is None else x.tocsc()[:, chosen])
    shape, rounding = (len(x), len(names)), Rounding(len(names))
    at_once = max(1, _BYTES_AT_ONCE // (x.dtype.itemsize * x.shape[1]))

    def parts() -> Iterator[Array]:
        for start in range(0, shape[0], at_once):
            with naming(path, *_DAMAGE):
                part = x[start : start + at_once]
            part = part if chosen is None else part[:, chosen]
            rounding.add(part)
            yield part
        rounding.require_little(path, names)

    options = [*([] if layer is None else [layer]), *([] if chosen is None else [chosen])]
    return stored_rows("cells", path, shape, np.float32, parts, reading.cache, *options)
