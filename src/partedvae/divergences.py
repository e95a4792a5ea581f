"""Divergences between distributions, in nats: pure functions on tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kl_normal(mean: Tensor, logvar: Tensor, prior_mean: Tensor, prior_logvar: Tensor) -> Tensor:
    """KL(N(mean, e^logvar) ‖ N(prior_mean, e^prior_logvar)) of diagonal Gaussians.

    ½ Σ_d [ln σ_p² − ln σ² − 1 + σ²/σ_p² + (μ − μ_p)²/σ_p²]

    Args:
        mean, logvar, prior_mean, prior_logvar: tensors that broadcast to (…, d).

    Returns:
        (…,) nats.

    Source: Hajimiri et al. 2021; Kingma and Welling 2014, appendix B.

    >>> kl_normal(torch.zeros(2), torch.zeros(2), torch.ones(2), torch.zeros(2))
    tensor(1.)
    """
    ratio = (logvar - prior_logvar).exp()
    distance = (mean - prior_mean).square() * (-prior_logvar).exp()
    return 0.5 * (prior_logvar - logvar - 1 + ratio + distance).sum(dim=-1)


def kl_normal_each(mean: Tensor, logvar: Tensor, prior_mean: Tensor, prior_logvar: Tensor) -> Tensor:
    """``kl_normal`` of each of N Gaussians to each of K, as products of matrices: for K too many to lay out all terms.

    Squares are multiplied out, so that digits are lost where means are large beside what they differ by: in float32
    about 10⁻⁶ of the largest term.

    Args:
        mean, logvar: (N, d).
        prior_mean, prior_logvar: (K, d).

    Returns:
        (N, K) nats.

    >>> kl_normal_each(torch.zeros(2, 2), torch.zeros(2, 2), torch.ones(3, 2), torch.zeros(3, 2)).shape
    torch.Size([2, 3])
    """
    precision = (-prior_logvar).exp()
    of_prior = (prior_logvar + prior_mean.square() * precision).sum(dim=1)
    of_posterior = (logvar + 1).sum(dim=1, keepdim=True)
    squares = (logvar.exp() + mean.square()) @ precision.T - 2 * mean @ (prior_mean * precision).T
    return 0.5 * (of_prior - of_posterior + squares)


def kl_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, e^logvar) ‖ N(0, 1)) of each dimension.

    ½ (σ² + μ² − 1 − ln σ²)

    Args:
        mean, logvar: (…, d).

    Returns:
        (…, d) nats, one value a dimension, so that unused dimensions can be told.

    Source: Kingma and Welling 2014, appendix B.

    >>> kl_standard_normal(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor([2.])
    """
    return 0.5 * (logvar.exp() + mean.square() - 1 - logvar)


def kl_categorical(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(q ‖ p) of categorical distributions given as log-probabilities.

    Σ_k q_k (ln q_k − ln p_k)

    Args:
        log_q, log_p: (…, K).

    Returns:
        (…,) nats.

    Source: Cover and Thomas, *Elements of Information Theory*, chapter 2.

    >>> p = torch.tensor([0.5, 0.5])
    >>> kl_categorical(p.log(), p.log())
    tensor(0.)
    """
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1)


def entropy_categorical(log_q: Tensor) -> Tensor:
    """Entropy of categorical distributions given as log-probabilities.

    − Σ_k q_k ln q_k

    Args:
        log_q: (…, K).

    Returns:
        (…,) nats.

    Source: Cover and Thomas, *Elements of Information Theory*, chapter 2.

    >>> entropy_categorical(torch.tensor([0.25, 0.25, 0.25, 0.25]).log())
    tensor(1.3863)
    """
    return -(log_q.exp() * log_q).sum(dim=-1)


def sureness(log_q: Tensor) -> Tensor:
    """How sure categorical distributions are: 0 where all classes are alike, 1 where one is certain.

    (1 − H(q) / ln K)²

    Args:
        log_q: (…, K), log-probabilities.

    Returns:
        (…,) values in [0, 1].

    >>> sureness(torch.tensor([[0.5, 0.5], [0.75, 0.25], [1 - 1e-7, 1e-7]]).log())
    tensor([0.0000, 0.0356, 1.0000])
    """
    return (1 - entropy_categorical(log_q) / math.log(log_q.shape[-1])).square()


def bhattacharyya_coefficient(mean_a: Tensor, logvar_a: Tensor, mean_b: Tensor, logvar_b: Tensor) -> Tensor:
    """Overlap of two diagonal Gaussians: ∫ √(p q), 1 if they are the same, towards 0 as they part.

    BC = exp(−D_B),  D_B = ⅛ Σ (μ_a − μ_b)²/σ̄² + ½ Σ [ln σ̄² − ½(ln σ_a² + ln σ_b²)],  σ̄² = (σ_a² + σ_b²)/2

    Args:
        mean_a, logvar_a, mean_b, logvar_b: tensors that broadcast to (…, d).

    Returns:
        (…,) values in (0, 1].

    Source: Hajimiri et al. 2021; Kailath 1967.

    >>> bhattacharyya_coefficient(torch.zeros(1), torch.zeros(1), torch.zeros(1), torch.zeros(1))
    tensor(1.)
    """
    log_mean_variance = torch.logaddexp(logvar_a, logvar_b) - math.log(2)
    distance = (mean_a - mean_b).square() * (-log_mean_variance).exp() / 8
    spread = 0.5 * (log_mean_variance - 0.5 * (logvar_a + logvar_b))
    return (-(distance + spread).sum(dim=-1)).exp()
