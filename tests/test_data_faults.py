"""Data that rot or vanish while a run reads them: one line that names the file, and a checkpoint to go on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from hub_files import encoded, pets, saved
from partedvae import PartedVAE
from partedvae.checkpoint_files import LAST, is_whole
from partedvae.data import DataError, load
from partedvae.extra_terms import Seen
from streams import CODES, N, blocks, quick, same

pytestmark = pytest.mark.usefixtures("no_waiting")

STEPS_AN_EPOCH, EPOCHS = 3, 4  # 40 rows in batches of 16


def begun(happens: Callable[[], object] | None = None, **settings: Any) -> PartedVAE:
    """A model in whose third epoch something happens to its data."""

    def watch(seen: Seen) -> Tensor:
        if happens is not None and seen.step == 2 * STEPS_AN_EPOCH + 1:
            happens()
        return 0 * seen.codes.sum()

    return quick(max_epochs=EPOCHS, extra_terms={"watch": watch}, **settings)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def test_a_picture_that_rots_in_the_third_epoch_costs_no_epoch(tmp_path: Path) -> None:
    sound, source = pets(blocks(), CODES), tmp_path / "pets.parquet"
    rotten = [*blocks(N - 2), {"bytes": encoded(blocks()[N - 2])[:60], "path": "last.png"}, blocks()[-1]]
    saved("Parquet file", sound, tmp_path)
    with pytest.raises(DataError, match=r"last\.png cannot be read"):
        begun(lambda: saved("Parquet file", pets(rotten, CODES), tmp_path)).fit(
            load(str(source), streaming=True), checkpoints=tmp_path / "run"
        )
    assert is_whole(tmp_path / "run" / LAST)
    saved("Parquet file", sound, tmp_path)
    resumed = begun().fit(load(str(source), streaming=True), checkpoints=tmp_path / "run", resume_from=tmp_path / "run")
    assert same(resumed, begun().fit(load(str(source), streaming=True)))


@pytest.mark.parametrize("happens", [Path.unlink, damage])
def test_a_streamed_file_that_vanishes_or_rots_is_named(happens: Callable[[Path], None], tmp_path: Path) -> None:
    source = Path(saved("Parquet file", pets(blocks(), CODES), tmp_path / "data"))
    with pytest.raises(DataError, match=rf"{source.name} can no longer be read"):
        begun(lambda: happens(source)).fit(load(str(source), streaming=True), checkpoints=tmp_path / "run")
    assert is_whole(tmp_path / "run" / LAST)


def test_a_mapped_file_that_vanishes_is_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partedvae.ondemand._KEPT_IN_MEMORY", 0)
    path = tmp_path / "x.npy"
    np.save(path, blocks())
    y = np.array([-1 if code is None else code for code in CODES])
    model = begun(path.unlink).fit(np.load(path, mmap_mode="r"), y)
    assert len(model.history_) == EPOCHS
