"""Pictures a second of fit, beside the bare networks and the plain loop, and what a step is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np
import torch

from fast_setting import fast
from partedvae.batches import Observations, training_loader
from partedvae.config import Config, preset
from partedvae.factory import Schedule, make_model, make_objective
from partedvae.model import PartedModel, Posterior
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.scaling import Scaling
from plain_loop import floor_step, plain_step, with_torchs_layers
from speed.timing import (
    BATCH,
    CLASSES,
    LABELLED,
    ROWS,
    SIDE,
    Spread,
    few_labels,
    fitted,
    pictures,
    ratios,
    seconds,
    short,
    spread,
)

MANY, MANY_DIM = 1_000, 32


def training(rounds: int) -> dict[str, Any]:
    """Pictures a second of the floor, the plain loop, and fit by both recipes; the last ratios are to the floor."""
    x, y = pictures(ROWS, SIDE), few_labels(ROWS)
    config = Config.checked({**preset("paper")})
    scaling = Scaling.fit(torch.from_numpy(x)[:, None], standardise=False)
    raw = torch.from_numpy(x)[:, None].float() / 255
    labels = torch.from_numpy(y[:LABELLED])

    def model() -> PartedModel:
        return make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])

    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    loops = {
        "floor": floor_step(with_torchs_layers(model()), 1e-3),
        "floor, our layers": floor_step(model(), 1e-3),
        "plain loop": plain_step(with_torchs_layers(model()), objective, 1e-3),
    }

    def rate_of(step: Callable[..., None]) -> float:
        order = torch.randperm(len(raw))
        started = time.perf_counter()
        for number, rows in enumerate(order.split(BATCH)):
            first = number * BATCH % LABELLED
            step(raw[rows], raw[first : first + BATCH], labels[first : first + BATCH])
        return len(raw) / (time.perf_counter() - started)

    recipes: dict[str, Mapping[str, Any]] = {
        "fit, published recipe": preset("paper"),
        "fit, published recipe, compiled": _compiled(preset("paper")),
        "fit, published recipe, fast": {**preset("paper"), **fast(preset("paper"))},
        "fit, published recipe, fast, compiled": _compiled({**preset("paper"), **fast(preset("paper"))}),
        "fit, default": {},
        "fit, default, fast": fast({}),
        "fit, default, fast, compiled": _compiled(fast({})),
    }
    rates: dict[str, list[float]] = {name: [] for name in (*loops, *recipes)}
    for step in loops.values():
        rate_of(step)  # the first time is slower; of a fit, the second epoch counts
    for _ in range(rounds):
        for name, step in loops.items():
            rates[name].append(rate_of(step))
        for name, settings in recipes.items():
            rates[name].append(ROWS / fitted(x, y, {"batch_size": BATCH, **settings}).epochs[-1])
    floors = [name for name in loops if name.startswith("floor")]
    return {
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        **{
            f"over_{base.replace(', ', '_').replace(' ', '_')}": {
                name: ratios(values, rates[base]) for name, values in rates.items() if name not in floors
            }
            for base in (*floors, "plain loop")
        },
    }


def parts(rounds: int) -> dict[str, Spread]:
    """Shares of a published step that its data and its objective have, each alone."""
    x, y = pictures(ROWS, SIDE), few_labels(ROWS)
    config = Config.checked({**preset("paper")})
    raw = torch.from_numpy(x)[:, None]
    scaling = Scaling.fit(raw, standardise=False)
    model = make_model(config, scaling, "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])
    objective = make_objective(config, (1, SIDE, SIDE), Schedule.of(config, 1000))
    seen = scaling(raw[:BATCH])
    with torch.no_grad():
        posterior = model.infer(seen, generator=torch.Generator().manual_seed(0))
        output = model.decoder(posterior.mean)

    def objective_alone() -> None:
        leaves = [part.detach().requires_grad_() for part in vars(posterior).values()]
        decoded = output.detach().requires_grad_()
        terms = objective(Posterior(*leaves), model.prior, model.likelihood.log_prob(decoded, seen), 1)
        terms.total.backward()

    found: dict[str, list[float]] = {"data": [], "objective": []}
    for number in range(rounds):
        loader = iter(training_loader(Observations(raw, torch.from_numpy(y)[:, None]), BATCH, number))
        next(loader)  # the order of the epoch is drawn with the first
        step = median(fitted(x, y, preset("paper")).steps)
        found["data"].append(seconds(loader.__next__, 10) / step)
        found["objective"].append(seconds(objective_alone, 50) / step)
    return {name: spread(values) for name, values in found.items()}


def many_classes(rounds: int) -> Spread:
    """What the objective of many classes and their pairs takes, with its gradient, of a step at 64×64."""
    config = Config(u_dim=MANY_DIM)
    prior = MixturePrior(Partition((MANY,), MANY_DIM, config.z_dim), torch.ones(MANY))
    objective, noise = make_objective(config, (1, 64, 64), Schedule.of(config, 1000)), torch.Generator().manual_seed(0)
    sizes = (MANY, MANY_DIM, MANY_DIM, config.z_dim, config.z_dim)
    said = [torch.randn(BATCH, size, generator=noise) for size in sizes]

    def objective_alone() -> None:
        logits, *codes = (part.detach().requires_grad_() for part in said)
        objective(Posterior(logits.log_softmax(dim=1), *codes), prior, torch.zeros(BATCH), 1).total.backward()

    x, y = pictures(8 * BATCH, 64), np.arange(8 * BATCH) % CLASSES
    objective_alone()
    return spread([seconds(objective_alone, 20) / median(fitted(x, y, {}).steps) for _ in range(rounds)])


def _compiled(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "trainer_options": {**settings.get("trainer_options", {}), "compile": True}}


def compiled(rounds: int) -> dict[str, Any]:
    """A compiled published step over one that is not, and what the first epoch takes longer, in seconds."""
    x, y = pictures(ROWS, SIDE), few_labels(ROWS)
    n_batches = -(-ROWS // BATCH)
    steps: dict[bool, list[float]] = {False: [], True: []}
    first = dict.fromkeys(steps, 0.0)
    for number in range(rounds):
        for through in steps:
            settings = {**preset("paper"), "batch_size": BATCH}
            clock = fitted(x, y, _compiled(settings) if through else settings)
            steps[through].append(median(clock.steps[n_batches:]))
            if number == 0:
                first[through] = clock.epochs[0]
    return {"step": ratios(steps[True], steps[False]), "first_epoch_seconds_more": short(first[True] - first[False])}
