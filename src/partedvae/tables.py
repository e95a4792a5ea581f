"""Predictions as rows of a table, and labels as they are typed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from partedvae.data.dataset import Dataset
from partedvae.data.label_file import CONFIDENCE, LABEL, RANK
from partedvae.data.tables import ID
from partedvae.estimator import PartedVAE
from partedvae.labels import Attribute

if TYPE_CHECKING:
    from partedvae.metrics.evaluation import Evaluation

Row = list[Any]


def prediction_rows(model: PartedVAE, data: Dataset) -> tuple[list[str], Iterator[Row]]:
    """Header and rows: id, label, confidence and one probability a class, for each attribute; and novelty.

    With several attributes the columns carry the attribute's name. Novelty is minus ``score_samples``, in nats.
    """
    several = len(model.attributes_) > 1
    probabilities = model.predict_proba(data)
    parts = probabilities if isinstance(probabilities, list) else [probabilities]
    novelty = -model.score_samples(data)
    header = [ID]
    for attribute in model.attributes_:
        suffix = f"_{attribute.name}" if several else ""
        header += [f"{LABEL}{suffix}", f"{CONFIDENCE}{suffix}", *(f"p{suffix}_{name}" for name in attribute.classes)]
    return [*header, "novelty"], (
        [data.ids[i], *_cells(model.attributes_, [part[i] for part in parts]), f"{novelty[i]:.4f}"]
        for i in range(len(data))
    )


def suggestion_rows(model: PartedVAE, data: Dataset, n: int, seed: int) -> tuple[list[str], list[Row]]:
    """Header and rows: rank, id, and for each attribute the most probable label and its probability."""
    chosen = model.suggest(data, n, random_state=seed)
    ascending = np.sort(chosen)  # what is cheap to read in order is read in order
    probabilities = model.predict_proba(data.take(ascending))
    parts = probabilities if isinstance(probabilities, list) else [probabilities]
    parts = [part[np.searchsorted(ascending, chosen)] for part in parts]
    header = [RANK, ID]
    for attribute in model.attributes_:
        suffix = f"_{attribute.name}" if len(parts) > 1 else ""
        header += [f"{LABEL}{suffix}", f"{CONFIDENCE}{suffix}"]
    rows: list[Row] = []
    for place, row in enumerate(chosen):
        cells: Row = [place + 1, data.ids[int(row)]]
        for attribute, part in zip(model.attributes_, parts, strict=True):
            best = int(part[place].argmax())
            cells += [attribute.classes[best], f"{part[place, best]:.6f}"]
        rows.append(cells)
    return header, rows


def evaluation_table(found: Evaluation) -> Table:
    """Measures for a terminal, with their intervals beside them and the reason where there is none."""
    from partedvae.metrics.evaluation import interval_of  # which takes along all measures and their probes

    table = Table("measure", "value", "95 % interval", "by chance", box=None, pad_edge=False)
    for name, value in found.items():
        if interval_of(name, found)[1]:
            continue
        if name in found.notes:
            table.add_row(name, "—", found.notes[name])
            continue
        interval = f"{found[f'{name}_low']:.3f} to {found[f'{name}_high']:.3f}" if f"{name}_low" in found else ""
        null = f"below {found[f'{name}_null']:.3f}" if f"{name}_null" in found else ""
        table.add_row(name, f"{value:.4g}", interval, null)
    return table


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def label_named(attributes: Sequence[Attribute], text: str) -> Any:
    """The label that a person typed: a class, or for several attributes ``ATTRIBUTE=CLASS,…``.

    Raises:
        ValueError: there is no such attribute or class; it lists those there are.
    """
    if len(attributes) == 1:
        return _class_named(attributes[0], text, text)
    chosen: dict[str, Any] = {}
    by_name = {attribute.name: attribute for attribute in attributes}
    names = "|".join(re.escape(name) for name in sorted(by_name, key=len, reverse=True))
    for part in re.split(rf",(?=(?:{names})=)", text):  # a class may have a comma in its name
        found = re.match(rf"({names})=", part)
        if found is None:
            raise ValueError(f"--label {text}: should be ATTRIBUTE=CLASS; the attributes are {', '.join(by_name)}.")
        if found[1] in chosen:
            raise ValueError(f"--label {text}: names {found[1]} twice.")
        chosen[found[1]] = _class_named(by_name[found[1]], part[found.end() :], text)
    return [chosen.get(attribute.name) for attribute in attributes]


def _class_named(attribute: Attribute, text: str, typed: str) -> Any:
    for label in attribute.classes.tolist():
        if str(label) == text:
            return label
    names = ", ".join(map(str, attribute.classes))
    raise ValueError(f"--label {typed}: {text} is no class of {attribute.name}; the classes are {names}.")


def _cells(attributes: list[Attribute], probabilities: list[np.ndarray]) -> Iterator[Any]:
    for attribute, p in zip(attributes, probabilities, strict=True):
        best = int(p.argmax())
        yield attribute.classes[best]
        yield f"{p[best]:.6f}"
        yield from (f"{value:.6f}" for value in p)
