"""How good a code is: arrays in, numbers out."""

from partedvae.metrics.dci import dci
from partedvae.metrics.information import mig, modularity
from partedvae.metrics.interventions import beta_vae, factor_vae, irs
from partedvae.metrics.predictability import explicitness, sap
from partedvae.metrics.score import Score

__all__ = ["Score", "beta_vae", "dci", "explicitness", "factor_vae", "irs", "mig", "modularity", "sap"]
