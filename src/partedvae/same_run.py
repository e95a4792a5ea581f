"""Whether a checkpoint is of the run that would go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from partedvae.checkpoint_files import CheckpointError


@dataclass(frozen=True)
class SameRun:
    """What must not change between the two parts of a run, or the second would not be that of an unbroken one.

    Attributes:
        settings: as JSON has them.
        batches: of an epoch.
        data: the fingerprint of observations and labels, where they have one.
        validation: that of what validates, if anything does.
        precision: Lightning's name of it.
        compiled: whether the step is, which rounds otherwise.
        device: its type; each draws other noise.
        terms: names of a user's terms, which are not in a checkpoint themselves.
        augments: whether a user says how observations are changed.
    """

    settings: Mapping[str, Any]
    batches: int
    data: str | None
    validation: str | None
    precision: str
    compiled: bool
    device: str
    terms: list[str]
    augments: bool

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)

    def require(self, path: object, checkpoint: Mapping[str, Any], weights: Mapping[str, Any], n_processes: int) -> Any:
        """What a checkpoint says of the run, if it is one of this.

        Args:
            path: of the checkpoint, for messages.
            checkpoint: what it holds.
            weights: those of this run, by name.
            n_processes: each of them has noise of its own.

        Raises:
            CheckpointError: it is of other settings, data or networks, or of another version of this program.
        """
        state = checkpoint.get("partedvae", {})
        of_another_version = CheckpointError(f"{path} is not of this version of partedvae; begin anew.")
        if not isinstance(state, dict) or not state.keys() >= {*asdict(self), "noise", "global_noise", "batches_done"}:
            raise of_another_version
        there = state["settings"]
        different = [name for name, value in self.settings.items() if value != there.get(name)]
        if different:
            name = different[0]
            raise CheckpointError(f"{path} is of a run with {name}={there.get(name)!r}, not {self.settings[name]!r}.")
        if len(state["noise"]) != n_processes:
            raise CheckpointError(f"{path} is of a run with {len(state['noise'])} processes, not {n_processes}.")
        if state["batches"] != self.batches:
            found = f"{state['batches']} batches an epoch; these data make {self.batches}"
            raise CheckpointError(f"{path} is of a run with {found}.")
        if state["data"] is not None and state["data"] != self.data:
            raise CheckpointError(f"{path} is of a run on other observations or labels.")
        if state["validation"] != self.validation:
            raise CheckpointError(f"{path} is of a run with other validation data. Give the same again.")
        if state["precision"] != self.precision:
            raise CheckpointError(
                f"{path} is of a run with precision {state['precision']}, not {self.precision}: "
                f"--precision {state['precision']} goes on as it was begun."
            )
        if state["compiled"] != self.compiled:
            how = "without" if self.compiled else "with"
            raise CheckpointError(f"{path} is of a run {how} compile, which rounds otherwise; go on as it was begun.")
        if state["device"] != self.device:
            found = f"{state['device']}, not {self.device}, which draws other noise"
            raise CheckpointError(f"{path} is of a run on {found}.")
        if state["terms"] != self.terms:
            before, now = (", ".join(names) or "none" for names in (state["terms"], self.terms))
            raise CheckpointError(f"{path} is of a run with extra_terms {before}, not {now}. Give the same again.")
        if state["augments"] != self.augments:
            how = "without" if self.augments else "with"
            raise CheckpointError(f"{path} is of a run {how} augment. Give the same again.")
        if checkpoint["state_dict"].keys() != weights.keys():
            raise of_another_version
        return state
