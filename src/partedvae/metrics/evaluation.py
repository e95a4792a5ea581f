"""All measures of a fitted model in one flat table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from partedvae.data.dataset import Dataset
from partedvae.given_labels import encode_as
from partedvae.labels import MISSING, only
from partedvae.metrics.classification import classification
from partedvae.metrics.dci import dci
from partedvae.metrics.information import mig, modularity
from partedvae.metrics.interventions import beta_vae, factor_vae, irs
from partedvae.metrics.leakage import Leakage, leakage
from partedvae.metrics.oracle import Oracle, flattened
from partedvae.metrics.predictability import explicitness, sap
from partedvae.metrics.separation import diversity, style_preservation, swap_accuracy
from partedvae.seeds import RandomState, as_32_bits, seed_of
from partedvae.supervision import known_as

Array = NDArray[Any]

_ACTIVE = 0.01  # variance of a posterior mean over observations, below which its dimension is unused
_SAMPLES = 200  # of each class
_LEAST_OF_A_CLASS = 20


class Evaluation(dict[str, float]):
    """Measures by name; NaN where one could not be computed, and then ``notes`` says why."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}

    def add(self, names: Sequence[str], compute: Callable[[], Mapping[str, float]]) -> None:
        """Add what ``compute`` gives; NaN under ``names``, and the reason, if it refuses."""
        try:
            self.update({name: float(value) for name, value in compute().items()})
        except ValueError as error:
            self.update(dict.fromkeys(names, float("nan")))
            self.notes |= dict.fromkeys(names, str(error))


def evaluate(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    *,
    oracle_data: Dataset | tuple[Any, ArrayLike] | None = None,
    n_pairs: int = 5_000,
    max_rows: int = 5_000,
    random_state: RandomState = 0,
) -> Evaluation:
    """Every measure that can be had of observations that training did not see.

    Args:
        model: a fitted :class:`partedvae.PartedVAE`.
        X: observations; or a :class:`partedvae.data.Dataset`, which has labels, and perhaps factors, with it.
        y: labels, missing ones marked.
        factors: (N, F), integers from 0 on: known factors of each observation; they add the measures of
            disentanglement.
        oracle_data: observations with all their labels, on which the judge of swaps and samples is fit. Without them it
            is fit on one half of X, and the other half is swapped.
        n_pairs: swaps that are judged.
        max_rows: of more rows, a random choice is used, of those with a label first.
        random_state: seed.

    Returns:
        Accuracies and leakages as shares, ``nll`` and KLs in nats, ``mse`` in the range of the observations (pictures:
        [0, 1]). With several attributes each measure of classes is the mean over them, and is there for each as well,
        as in ``accuracy_colour``.

    >>> from partedvae import PartedVAE
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = PartedVAE(max_epochs=1, random_state=0).fit(digits.images, digits.target)
    >>> found = evaluate(model, digits.images[:400], digits.target[:400], n_pairs=100)
    >>> {"accuracy", "ece", "z_leakage", "swap_accuracy"} <= set(found)
    True
    """
    if n_pairs < 1 or max_rows < 1:
        raise ValueError(f"n_pairs is {n_pairs} and max_rows {max_rows}; both should be 1 or more.")
    seed = as_32_bits(seed_of(random_state))
    with warnings.catch_warnings():
        # Names of columns are looked at once; from then on observations are arrays.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        shown = _Shown.of(model, X, y, factors, max_rows, seed)
        found = Evaluation()
        found.update(_reconstruction(model, shown, seed))
        by_attribute = []
        for a in range(len(model.attributes_)):
            part = Evaluation()
            _of_classes(part, model, shown, a, seed)
            _of_generator(part, model, shown, oracle_data, a, n_pairs, seed)
            by_attribute.append(part)
        _join(found, by_attribute, [attribute.name for attribute in model.attributes_])
        if shown.factors is not None:
            _of_factors(found, model, shown, n_pairs, seed)
        return found


@dataclass(frozen=True)
class _Shown:
    """The rows that a model is measured on, with what it makes of them."""

    x: Array
    codes: NDArray[np.int64]
    factors: NDArray[np.int64] | None
    c: list[Array]
    u: Array
    z: Array
    z_drawn: Array

    @classmethod
    def of(cls, model: Any, X: Any, y: Any, factors: Any, max_rows: int, seed: int) -> _Shown:
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        codes = known_as(X, y, n_rows, model.attributes_)
        rows = _some(codes, max_rows, seed)
        codes, known = codes[rows], None
        if isinstance(X, Dataset):
            data = X.take(rows)
            _require_names(model, data)
            x, known = data.array, data.factors if data.grid is not None else None
        else:
            if hasattr(X, "columns"):
                _require_names(model, X[:1])
            x = X.tocsr()[rows].toarray() if issparse(X) else _as_array(X)[rows]
        x = _as_the_model_takes(model, x)
        if factors is not None:
            known = _factors(factors, n_rows)[rows]
        encoded, drawn = model.encode(x), model.draw_codes(x, random_state=seed)
        c = encoded.c if isinstance(encoded.c, list) else [encoded.c]
        return cls(x, codes, known, c, encoded.u, encoded.z, drawn.z)


def _factors(given: ArrayLike, n_rows: int) -> Array:
    """Factors (N, F), or (N,) of one, none of them missing."""
    factors = np.asarray(given)
    if factors.ndim not in (1, 2) or len(factors) != n_rows:
        raise ValueError(f"factors have shape {factors.shape}; they should be ({n_rows}, F), one row an observation.")
    factors = factors.reshape(n_rows, -1)
    missing = np.argwhere((factors == MISSING) | ~(factors == factors))  # NaN is not itself
    if len(missing):
        raise ValueError(f"factors have none at row {missing[0, 0]} (-1 or NaN): leave such rows out.")
    return factors


def _some(codes: NDArray[np.int64], at_most: int, seed: int) -> NDArray[np.int64]:
    """At most so many rows, drawn at random: those with a label first, since most measures are of them."""
    order = np.random.default_rng(seed).permutation(len(codes))
    unlabelled = (codes[order] == MISSING).all(axis=1)
    rows: NDArray[np.int64] = np.sort(order[np.argsort(unlabelled, kind="stable")][:at_most])
    return rows


def _reconstruction(model: Any, shown: _Shown, seed: int) -> dict[str, float]:
    errors = flattened(model.reconstruct(shown.x)) - flattened(shown.x)
    return {
        "mse": float(np.square(errors).mean()),
        "log_likelihood_bound": float(model.score_samples(shown.x, random_state=seed).mean()),
        "u_kl": float(model.u_kl(shown.x).sum(axis=1).mean()),
        "z_kl": float(model.z_kl(shown.x).sum(axis=1).mean()),
        "z_active": float((shown.z.var(axis=0) > _ACTIVE).sum()),
        "u_active": float((shown.u.var(axis=0) > _ACTIVE).sum()),
    }


def _of_classes(found: Evaluation, model: Any, shown: _Shown, a: int, seed: int) -> None:
    """What the classifier is worth, and what each code tells of the class."""
    known = shown.codes[:, a] != MISSING
    truth, p = shown.codes[known, a], shown.c[a][known]

    def classifier() -> dict[str, float]:
        _require(len(truth) > 0, "no row has a label")
        return classification(p, truth, random_state=seed)

    found.add(("accuracy", "balanced_accuracy", "nll", "ece"), classifier)
    u = np.split(shown.u, len(model.attributes_), axis=1)[a]
    codes = {"c": shown.c[a], "u": u, "z": shown.z, "z_drawn": shown.z_drawn}
    for name, code in codes.items():
        kind = "informativeness" if name in ("c", "u") else "leakage"

        def read(name: str = name, code: Array = code, kind: str = kind) -> dict[str, float]:
            _require(len(truth) > 0, "no row has a label")
            _require(code.shape[1] > 0, f"the model has no {name[0]}")
            return _with_interval(f"{name}_{kind}", leakage(code[known], truth, random_state=seed))

        found.add((f"{name}_{kind}",), read)


def _of_generator(
    found: Evaluation, model: Any, shown: _Shown, oracle_data: Any, a: int, n_pairs: int, seed: int
) -> None:
    """What an oracle sees in swaps, and in samples of each class."""
    names = (
        "oracle_accuracy", "swap_accuracy", "swap_accuracy_normalised", "swap_style_class",
        "generation_accuracy", "generation_diversity",
    )  # fmt: skip

    def compute() -> dict[str, float]:
        known = np.flatnonzero(shown.codes[:, a] != MISSING)
        _require(len(known) >= 2 * _LEAST_OF_A_CLASS, "fewer than 40 rows have a label, too few to judge by")
        if oracle_data is None:
            known = np.random.default_rng(seed).permutation(known)
            half = len(known) // 2
            taught, known = (shown.x[known[:half]], shown.codes[known[:half], a]), known[half:]
        else:
            taught = _taught(model, oracle_data, a)
        _require(len(np.unique(taught[1])) > 1, "the oracle was shown one class only")
        oracle = Oracle(*taught, random_state=seed)
        x, truth = shown.x[known], shown.codes[known, a]
        swaps = swap_accuracy(model.swap, x, truth, oracle, n_pairs=n_pairs, random_state=seed)
        recognised, spread = [], []
        for k, label in enumerate(model.attributes_[a].classes.tolist()):
            if k not in taught[1]:  # which the oracle cannot recognise
                continue
            samples = model.sample(_SAMPLES, only(model.attributes_, a, label), random_state=seed + k)
            recognised.append(np.mean(oracle.judge(samples) == k))
            if (truth == k).sum() > 1:
                spread.append(diversity(samples, x[truth == k]))
        return {
            "oracle_accuracy": oracle.accuracy(x, truth),
            "swap_accuracy": swaps.kept,
            "swap_accuracy_normalised": swaps.normalised,
            "swap_style_class": swaps.style_class,
            "generation_accuracy": float(np.mean(recognised)),
            "generation_diversity": float(np.mean(spread)),
        }

    found.add(names, compute)


def _of_factors(found: Evaluation, model: Any, shown: _Shown, n_pairs: int, seed: int) -> None:
    """The measures of disentanglement, of u and z side by side; and what happens to factors of style."""
    factors = shown.factors
    if factors is None:
        return
    varied = factors[:, [len(np.unique(column)) > 1 for column in factors.T]]
    codes = np.concatenate([shown.u, shown.z], axis=1)
    found.add(("mig",), lambda: {"mig": float(mig(codes, varied))})
    found.add(("sap",), lambda: {"sap": float(sap(codes, varied, random_state=seed))})
    found.add(("modularity",), lambda: {"modularity": float(modularity(codes, varied))})
    found.add(("explicitness",), lambda: {"explicitness": float(explicitness(codes, varied, random_state=seed))})
    found.add(("irs",), lambda: {"irs": float(irs(codes, varied))})
    found.add(("factor_vae",), lambda: {"factor_vae": float(factor_vae(codes, varied, random_state=seed))})
    found.add(("beta_vae",), lambda: {"beta_vae": float(beta_vae(codes, varied, random_state=seed))})

    def of_dci() -> dict[str, float]:
        score = dci(codes, varied, trees="fast", random_state=seed)
        return {
            "dci_disentanglement": score.disentanglement,
            "dci_completeness": score.completeness,
            "dci_informativeness": score.informativeness,
        }

    found.add(("dci_disentanglement", "dci_completeness", "dci_informativeness"), of_dci)
    truth = shown.codes[:, 0]
    styles = [column for column in varied.T if not _same_partition(column, truth)]

    def of_styles() -> dict[str, float]:
        _require(len(model.attributes_) == 1 and (truth != MISSING).all(), "every row needs one known class")
        _require(bool(styles), "all factors are the class itself")
        half = np.random.default_rng(seed).permutation(len(truth))
        taught, judged = half[: len(half) // 2], half[len(half) // 2 :]
        kept = [
            style_preservation(
                model.swap,
                shown.x[judged],
                truth[judged],
                column[judged],
                Oracle(shown.x[taught], column[taught], seed),
                n_pairs=n_pairs,
                random_state=seed,
            )
            for column in styles
        ]
        seen = [value for value in kept if np.isfinite(value)]
        _require(bool(seen), "no factor of style is seen in any reconstruction")
        return {"style_preservation": float(np.mean(seen))}

    found.add(("style_preservation",), of_styles)
    found.add(("u_style_within_class",), lambda: {"u_style_within_class": _within_class(shown.u, truth, styles, seed)})


def _within_class(u: Array, classes: Array, styles: Sequence[Array], seed: int) -> float:
    """How well factors of style are read from u among rows of one class: the mean over classes and factors."""
    values = []
    for k in np.unique(classes[classes != MISSING]):
        rows = classes == k
        for column in styles:
            present, counts = np.unique(column[rows], return_counts=True)
            enough = np.isin(column, present[counts >= _LEAST_OF_A_CLASS]) & rows
            if len(np.unique(column[enough])) > 1:
                values.append(float(leakage(u[enough], column[enough], max_rows=1_000, random_state=seed)))
    _require(bool(values), "no factor of style has two values with 20 rows each within a class")
    return float(np.mean(values))


def _with_interval(name: str, read: Leakage) -> dict[str, float]:
    low, high = read.interval
    return {name: read.value, f"{name}_low": low, f"{name}_high": high, f"{name}_null": read.null}


def _taught(model: Any, oracle_data: Any, a: int) -> tuple[Array, Array]:
    if isinstance(oracle_data, Dataset):
        _require_names(model, oracle_data)
        x, codes = oracle_data.array, known_as(oracle_data, None, len(oracle_data), model.attributes_)
    else:
        x = _as_array(oracle_data[0])
        codes = encode_as(oracle_data[1], len(x), model.attributes_)
    known = codes[:, a] != MISSING
    return _as_the_model_takes(model, x[known]), codes[known, a]


def _require_names(model: Any, X: Any) -> None:
    """Refuse features whose names are not those of fit: the numbers alone, which are measured, have none."""
    if not isinstance(X, Dataset):
        model.predict(X)
    elif X.feature_names:
        model.predict(X.take([0]))


def _as_array(X: Any) -> Array:
    """Observations in memory, of a tensor as the model takes it."""
    return np.asarray(X.detach().cpu() if hasattr(X, "detach") else X)


def _as_the_model_takes(model: Any, x: Array) -> Array:
    """Observations; bytes that are not divided by 255, since fit saw other numbers, as the numbers that they hold."""
    return x if x.dtype != np.uint8 or model.net_.scaling.divides_bytes else x.astype(np.float32)


def _join(found: Evaluation, parts: Sequence[Evaluation], names: Sequence[str]) -> None:
    """Measures of one attribute as they are; of several, their means, and each under the attribute's name."""
    if len(parts) == 1:
        found.update(parts[0])
        found.notes |= parts[0].notes
        return
    whole = {key: value for part in parts for key, value in part.items()}  # one may lack what another has
    for key in whole:
        values = [part.get(key, float("nan")) for part in parts]
        measure, suffix = interval_of(key, whole)
        if not suffix:  # the ends of intervals have no mean that means something
            found[key] = float(np.mean(values))
        found.update({f"{measure}_{name}{suffix}": value for name, value in zip(names, values, strict=True)})
    for part, name in zip(parts, names, strict=True):
        found.notes |= {f"{key}_{name}": note for key, note in part.notes.items()}
        found.notes |= {key: f"{name}: {note}" for key, note in part.notes.items()}


def interval_of(key: str, measures: Mapping[str, float]) -> tuple[str, str]:
    """Of the end of an interval, or of what nothing would tell, the measure it is of and its suffix; else key and "".

    >>> interval_of("z_leakage_low", {"z_leakage": 0.1}), interval_of("accuracy_is_low", {"accuracy_is_low": 0.9})
    (('z_leakage', '_low'), ('accuracy_is_low', ''))
    """
    for suffix in ("_low", "_high", "_null"):
        measure = key.removesuffix(suffix)
        if measure != key and measure in measures:
            return measure, suffix
    return key, ""


def _same_partition(a: Array, b: Array) -> bool:
    """Whether two columns divide the rows in the same way."""
    return len(np.unique(np.stack([a, b]), axis=1).T) == len(np.unique(a)) == len(np.unique(b))


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)
