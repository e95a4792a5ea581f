"""How good a model's codes, classes and pictures are: arrays in, numbers out."""

from partedvae.metrics.calibration import (
    Reliability,
    calibration_error_by_chance,
    expected_calibration_error,
    negative_log_likelihood,
    novelty_auroc,
    reliability,
)
from partedvae.metrics.dci import dci
from partedvae.metrics.evaluation import Evaluation, evaluate
from partedvae.metrics.information import mig, modularity
from partedvae.metrics.interventions import beta_vae, factor_vae, irs
from partedvae.metrics.leakage import Leakage, leakage
from partedvae.metrics.oracle import Oracle
from partedvae.metrics.predictability import explicitness, sap
from partedvae.metrics.score import Score
from partedvae.metrics.separation import SwapAccuracy, diversity, style_preservation, swap_accuracy

__all__ = [
    "Evaluation",
    "Leakage",
    "Oracle",
    "Reliability",
    "Score",
    "SwapAccuracy",
    "beta_vae",
    "calibration_error_by_chance",
    "dci",
    "diversity",
    "evaluate",
    "expected_calibration_error",
    "explicitness",
    "factor_vae",
    "irs",
    "leakage",
    "mig",
    "modularity",
    "negative_log_likelihood",
    "novelty_auroc",
    "reliability",
    "sap",
    "style_preservation",
    "swap_accuracy",
]
