"""What fit leaves, and the two ways through it: from observations to codes, and from codes to observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from partedvae.config import Config
from partedvae.inference import decode, infer
from partedvae.labels import Attribute
from partedvae.likelihoods import LikelihoodName
from partedvae.model import PartedModel, Posterior
from partedvae.observed import Observed, ReadsObservations

T = TypeVar("T")
Array = NDArray[Any]


class Fitted(ReadsObservations):
    """A model as fit or load leaves it; what it can be asked is in the classes that derive from this one.

    Attributes:
        net_: the networks and the prior.
        history_: one record an epoch with every term of the loss, and the KLs behind them in nats, by name.
        attributes_: name and classes of each attribute.
        classes_: the classes; a list of arrays if there are several attributes.
        config_: the settings that fit had.
        likelihood_: that of observations, chosen if the settings left it open.
        class_prior_: π of each attribute.
    """

    def _set_fitted(
        self,
        net: PartedModel,
        attributes: Sequence[Attribute],
        config: Config,
        likelihood: LikelihoodName,
        class_prior: list[list[float]],
        history: list[dict[str, float]],
    ) -> None:
        self.net_ = net
        self.history_ = history
        self.attributes_ = list(attributes)
        self.classes_ = _one_or_list([attribute.classes for attribute in attributes])
        self.config_ = config
        self.likelihood_ = likelihood
        self.class_prior_ = class_prior

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def _fitted_net(self) -> PartedModel:
        check_is_fitted(self)
        return self.net_

    def _infer(self, X: Observed) -> Posterior:
        return infer(self._fitted_net(), self._observations(X))

    def _probabilities(self, log_c: Tensor) -> Array | list[Array]:
        parts = self.net_.partition.by_attribute(log_c)
        return _one_or_list([part.double().softmax(dim=1).numpy() for part in parts])

    def _decode(self, codes: Tensor) -> Array:
        return self.layout_.to_array(decode(self.net_, codes))


def _one_or_list(values: list[T]) -> T | list[T]:
    return values[0] if len(values) == 1 else values
