"""What a fitted model says of observations, a bounded number of them at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from partedvae.divergences import kl_categorical, kl_standard_normal
from partedvae.likelihoods import Bernoulli
from partedvae.model import PartedModel, Posterior, gumbel
from partedvae.ondemand import Raw

_ACTIVATIONS_AT_ONCE = 2**21  # 8 MiB of float32 in the widest layer: more leaves a processor's cache and is slower
_ON_A_GPU = 2**26  # 256 MiB, that it has something to do
_ACTIVATIONS_PER_NUMBER = 8  # 32 channels at half the side
_BOUND_DRAWS = 16
_BOUND_SEED = 0


class TooFarError(ValueError):
    """An observation is so unlike those of the training that its codes are not finite in 32 bits."""


def infer(model: PartedModel, raw: Raw) -> Posterior:
    """The deterministic posterior of raw observations (N, …): attention is given the most probable classes.

    Raises:
        TooFarError: it names the row.
    """
    with torch.inference_mode():
        parts = [model.infer(model.scaling(part)) for part in _parts(model, raw)]
    joined = [torch.cat([getattr(part, name) for part in parts]).cpu() for name in Posterior.__dataclass_fields__]
    for told in joined:
        require_finite(told)
    return Posterior(*joined)


def infer_classes(model: PartedModel, raw: Raw) -> Iterator[Tensor]:
    """Ln q(c | x) of raw observations, (n, ΣK) at a time: all that a prediction needs, and no more held than that."""
    seen = 0
    for part in _parts(model, raw):
        with torch.inference_mode():  # not across the yield, where others' code runs
            log_c = model.log_classes(model.encoder(model.scaling(part))).cpu()
        require_finite(log_c, range(seen, seen + len(part)))
        seen += len(part)
        yield log_c


def hidden(model: PartedModel, raw: Raw, rows: Sequence[int]) -> Tensor:
    """Hidden features h of raw observations, (N, H).

    Args:
        rows: (N,), the numbers that whoever asks knows them by.

    Raises:
        TooFarError: it names the row.
    """
    with torch.inference_mode():
        h = torch.cat([model.encoder(model.scaling(part)) for part in _parts(model, raw)])
        require_finite(model.log_classes(h), rows)  # where a prediction is refused, so is this
    return h.cpu()


def decode(model: PartedModel, codes: Tensor) -> Tensor:
    """Expected observations (N, …) of joined codes (N, D_u + D_z), in the range that the scaling was fit on."""
    with torch.inference_mode():
        parts = [
            model.scaling.inverse(model.likelihood.mean(model.decoder(part))).cpu() for part in _parts(model, codes)
        ]
    return torch.cat(parts)


def evidence_bound(model: PartedModel, raw: Raw, seed: int | None = None) -> Tensor:
    """A lower bound on ln p(x) of each observation as the networks see it (scaled), in nats: (N,).

    E_q [ln p(x|u,z)] − KL(q(z|x) ‖ p(z)) − Σ_a E_q KL(q(u_a|x,c_a) ‖ p(u_a|c_a)) − Σ_a KL(q(c_a|x) ‖ π_a)

    The expectations are means over 16 draws of c, u and z. Every observation is given the same draws of noise, so that
    its bound depends on nothing but itself, to within what float32 rounds; but what these draws have in common then
    does not vanish from the mean of many. With a ``seed`` each has draws of its own.

    Source: Hajimiri et al. 2021; Kingma and Welling 2014.
    """
    noise = None if seed is None else torch.Generator(model.class_head.weight.device).manual_seed(seed)
    with torch.inference_mode():
        bound = torch.cat([_bound(model, model.scaling(part), noise) for part in _parts(model, raw)])
    require_finite(bound[:, None])
    return bound


def _bound(model: PartedModel, x: Tensor, own_noise: torch.Generator | None) -> Tensor:
    prior = model.prior
    n_draws = 1 if own_noise is None else len(x)
    noise = torch.Generator(x.device).manual_seed(_BOUND_SEED) if own_noise is None else own_noise
    h = model.encoder(x)
    log_c = model.log_classes(h)
    z_mean, z_logvar = model.class_independent(h)
    # A picture may go a little beyond what fit saw as black and white, where the likelihood would be no such thing.
    shown = x.clamp(0, 1) if isinstance(model.likelihood, Bernoulli) else x
    draws = []
    for _ in range(_BOUND_DRAWS):
        classes = model.modal_classes(log_c + gumbel(log_c[:n_draws], noise))
        posterior = Posterior(log_c, *model.class_related(h, classes), z_mean, z_logvar)
        normal = torch.empty_like(posterior.mean[:n_draws]).normal_(generator=noise)
        output = model.decoder(posterior.mean + posterior.scale * normal)
        kl_of_u = (classes * prior.divergence(posterior.u_mean, posterior.u_logvar)).sum(dim=1)
        draws.append(model.likelihood.log_prob(output, shown) - kl_of_u)
    kl_of_c = kl_categorical(log_c, prior.log_class_prior)  # of each attribute, and their sum
    of_all = kl_of_c + kl_standard_normal(z_mean, z_logvar).sum(dim=1)
    # In 64 bits, or a row's last digit would depend on the rows that it is asked with.
    return torch.stack(draws).cpu().double().mean(dim=0) - of_all.cpu()


def require_finite(told: Tensor, rows: Sequence[int] | None = None) -> None:
    """Refuse what is said (n, …) of observations, unless it can be said of all; rows are their numbers, if not from 0.

    Raises:
        TooFarError: it names the row.
    """
    if not told.isfinite().all():
        first = int((~told.isfinite()).flatten(start_dim=1).any(dim=1).nonzero()[0])
        row = first if rows is None else rows[first]
        raise TooFarError(f"X at row {row} is so far from what fit saw that nothing finite can be said of it.")


def _parts(model: PartedModel, rows: Raw) -> Iterator[Tensor]:
    device = model.class_head.weight.device
    activations = _ACTIVATIONS_AT_ONCE if device.type == "cpu" else _ON_A_GPU
    at_once = max(1, activations // (_ACTIVATIONS_PER_NUMBER * math.prod(model.scaling.shape)))
    for part in rows.split(at_once):
        yield part.to(device)
