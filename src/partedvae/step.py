"""What each of the two optimisers descends in a step, as functions of their arguments alone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from partedvae.config import Config
from partedvae.consistency import Guesses, disagreement
from partedvae.exchange import decoded_with_swaps, unrecognised
from partedvae.extra_terms import Seen, Term, with_extra
from partedvae.factory import Schedule, make_objective
from partedvae.independence import ClassIndependence
from partedvae.model import PartedModel, Posterior
from partedvae.objective import Terms, cross_entropy
from partedvae.schedules import sharpness
from partedvae.teaching import with_gaps

Values = dict[str, Tensor]
Noise = tuple[Tensor, Tensor]

_BATCHES_REMEMBERED = 4  # enough to have of each of ten classes two dozen; older ones are of another encoder


class Step(nn.Module):
    """The published objective, and what the default recipe adds to it.

    Chance and the number of the step are arguments, and what is remembered from step to step is changed in place, so
    that torch can compile ``codes`` and ``classes``. Who decides when they are descended is ``training.Training``.

    Args:
        model: whose weights are trained.
        config: the weights of the terms.
        schedule: when capacities and sharpness are whole.
        with_guesses: whether what the predictor says of observations without a label is learned from.
        n_processes: that train together, and remember each other's codes.
        extra_terms: a user's.

    Source: Hajimiri et al. 2021.
    """

    def __init__(
        self,
        model: PartedModel,
        config: Config,
        schedule: Schedule,
        with_guesses: bool,
        n_processes: int = 1,
        extra_terms: Mapping[str, Term] | None = None,
    ) -> None:
        super().__init__()
        self.model, self._config, self._schedule = model, config, schedule
        self.objective = make_objective(config, model.scaling.shape, schedule)
        self.independence = (
            ClassIndependence(model.partition, _BATCHES_REMEMBERED * config.batch_size * n_processes)
            if config.gamma_zc and model.partition.z_dim
            else None
        )
        self.guesses = Guesses(model.prior.log_class_prior, model.partition) if with_guesses else None
        self.extra_terms = dict(extra_terms or {})

    def noise(self, x: Tensor, generator: torch.Generator) -> Noise:
        """What chance adds to observations (N, …): (N, ΣK) for their classes, (N, D_u + D_z) for their codes."""
        of_classes = self.model.class_noise(x, generator)
        return of_classes, x.new_empty(len(x), self.model.partition.size).normal_(generator=generator)

    def codes(self, x: Tensor, noise: Noise, step: int | Tensor) -> tuple[Tensor, Values, Tensor]:
        """What the main optimiser descends, all terms, and what is said of classes."""
        posterior, terms = self.drawn(x, noise, step)
        return terms.total, terms.named(), posterior.log_c.detach()

    def drawn(self, x: Tensor, noise: Noise, step: int | Tensor) -> tuple[Posterior, Terms]:
        """The posterior and the objective of observations, with classes and codes drawn."""
        of_classes, of_codes = noise
        posterior = self.model.posterior(x, sharpness(step, self._schedule.sharpness_steps), of_classes)
        return posterior, self._terms(self.model, x, posterior, posterior.at(of_codes), step)

    def classes(self, x: Tensor, targets: Tensor, left: list[Tensor], guesses: Tensor | None = None) -> Values:
        """How far the predictor is from the targets of the first observations, and from guesses of the others."""
        log_c = self.model.log_classes(with_gaps(self.model.encoder, x, left))
        if guesses is None:
            return {"cross_entropy": cross_entropy(log_c, targets, self.model.partition)}
        of_labelled, of_others = log_c.split([len(targets), len(guesses)])
        known = cross_entropy(of_labelled, targets, self.model.partition)
        return {"cross_entropy": known, "consistency": disagreement(of_others, guesses)}

    def without_noise(self, model: PartedModel, x: Tensor) -> Terms:
        """The objective that the schedules end at, of a model like this, so that epochs can be compared."""
        posterior = model.infer(x)
        return self._terms(model, x, posterior, posterior.mean, self.objective.capacities.steps)

    def _terms(self, model: PartedModel, x: Tensor, posterior: Posterior, codes: Tensor, step: int | Tensor) -> Terms:
        swapping = self._config.gamma_swap and model.partition.z_dim
        output, swapped = decoded_with_swaps(model, codes) if swapping else (model.decoder(codes), None)
        output = output.to(x.dtype)  # whatever the networks compute in
        terms = self.objective(posterior, model.prior, model.likelihood.log_prob(output, x), step)
        if self.independence is not None:
            told = self.independence(posterior.z_mean, posterior.log_c.exp())
            terms = terms.plus("zc_term", self._config.gamma_zc * told, zc_dependence=told)
        if swapped is not None:
            missed = unrecognised(model, posterior.log_c, swapped)
            terms = terms.plus("swap_term", self._config.gamma_swap * missed, swap_kl=missed)
        return with_extra(terms, self.extra_terms, Seen(x, posterior, codes, output, model, step))
