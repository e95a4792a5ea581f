"""The small sources that docs/data.md reads, and the pictures in it.

    python docs/example_sources.py

makes the sources in a folder of their own, runs there every command of docs/data.md that draws a picture, and puts the
pictures into docs/images/data. The test of the documents makes the same sources and runs every command.

The data are real: digits, wines and cell nuclei from scikit-learn, clothes from Debian's dataset-fashion-mnist where
that is installed. Files of dSprites, 3D Shapes, MNIST and CelebA are not at hand; what stands in for them has their
format and content of our own, and the page says so.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anndata
import datasets
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from partedvae.data import FactorGrid
from partedvae.data.celeba import GROUPS
from partedvae.data.sprites import Sprites

Array = NDArray[Any]

HERE = Path(__file__).parent
PICTURES = HERE / "images" / "data"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
N_DIGITS = 300


def make(folder: Path) -> None:
    """All sources of docs/data.md, in ``folder``."""
    digits, numbers = _digits()
    _photos(folder / "photos", digits, numbers)
    _manifest(folder / "manifest.csv", numbers)
    _tables(folder)
    _arrays(folder, digits, numbers)
    _cells(folder / "nuclei.h5ad")
    _hub(folder, digits, numbers)
    _idx(folder / "mnist", digits, numbers)
    if DEBIAN.is_dir():
        (folder / "fashion").symlink_to(DEBIAN)
    else:
        _idx(folder / "fashion", digits, numbers)
    _dsprites(folder / "dsprites")
    _shapes3d(folder / "shapes3d")
    _celeba(folder / "celeba", digits)


def draw(document: Path = HERE / "data.md") -> None:
    """Run the commands of a document that draw, and keep what they drew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    blocks = re.findall(r"```bash\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    with tempfile.TemporaryDirectory() as place:
        make(Path(place))
        for line in "\n".join(blocks).splitlines():
            if line.startswith("partedvae data show"):
                words = [sys.executable, "-m", *shlex.split(line, comments=True)]
                subprocess.run(words, cwd=place, check=True)
        for picture in Path(place).glob("*.png"):
            if (HERE / "images" / "data" / picture.name).name in document.read_text(encoding="utf-8"):
                shutil.copy(picture, PICTURES / picture.name)


def _digits() -> tuple[Array, Array]:
    bunch = load_digits()
    return (bunch.images[:N_DIGITS] * (255 / 16)).round().astype(np.uint8), bunch.target[:N_DIGITS]


def _photos(folder: Path, digits: Array, numbers: Array) -> None:
    """Folders of the classes 0, 1 and 2; of each ten pictures, and the others unlabelled."""
    seen = dict.fromkeys(range(3), 0)
    for row, (digit, number) in enumerate(zip(digits, numbers.tolist(), strict=True)):
        if number not in seen:
            continue
        seen[number] += 1
        place = folder / (["zero", "one", "two"][number] if seen[number] <= 10 else "unlabeled")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digit).resize((24, 32)).save(place / f"{row}.png")


def _manifest(path: Path, numbers: Array) -> None:
    """The pictures of ``photos`` with two attributes, either of which may be blank."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "digit", "parity"])
        for place in sorted((path.parent / "photos").rglob("*.png")):
            row = int(place.stem)
            parity = ["even", "odd"][numbers[row] % 2]
            blanks = row % 3 == 0, row % 5 == 0
            values = ["" if blank else value for blank, value in zip(blanks, (numbers[row], parity), strict=True)]
            writer.writerow([place.relative_to(path.parent).as_posix(), *values])


def _tables(folder: Path) -> None:
    wine = load_wine(as_frame=True)
    table = wine.frame.rename(columns={"target": "cultivar"})
    table["cultivar"] = table["cultivar"].map({0: "A", 1: "B", 2: "C"}).where(table.index % 4 == 0)
    table.to_csv(folder / "wine.csv", index=False)
    table.to_parquet(folder / "wine.parquet", index=False)


def _arrays(folder: Path, digits: Array, numbers: Array) -> None:
    few = np.where(np.arange(len(numbers)) < 100, numbers, -1)
    np.savez(folder / "digits.npz", X=digits, y=few)
    np.save(folder / "digits.npy", digits)
    rows = pd.DataFrame({"id": range(100), "parity": np.where(numbers[:100] % 2, "odd", "even")})
    rows.to_csv(folder / "digit_labels.csv", index=False)


def _cells(path: Path) -> None:
    nuclei = load_breast_cancer()
    kind = pd.Categorical(np.where(np.arange(569) % 5 == 0, nuclei.target_names[nuclei.target], "Unknown"))
    obs = pd.DataFrame({"kind": kind}, index=[f"nucleus{i}" for i in range(569)])
    var = pd.DataFrame(index=nuclei.feature_names)
    anndata.AnnData(nuclei.data.astype(np.float32), obs, var).write_h5ad(path)


def _hub(folder: Path, digits: Array, numbers: Array) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=[str(k) for k in range(10)])}
    )
    rows = [
        {"image": Image.fromarray(digit), "label": int(number) if row < 100 else None}
        for row, (digit, number) in enumerate(zip(digits, numbers, strict=True))
    ]
    datasets.disable_progress_bars()
    data = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": data, "test": data.select(range(100))}).save_to_disk(str(folder / "digits-hf"))
    data.to_parquet(str(folder / "digits.parquet"))


def _idx(folder: Path, digits: Array, numbers: Array) -> None:
    """The format of MNIST, with other digits in it."""
    folder.mkdir()
    large = np.stack([np.asarray(Image.fromarray(digit).resize((28, 28))) for digit in digits])
    for part, rows in (("train", slice(0, 200)), ("t10k", slice(200, 300))):
        for kind, array in (("images", large[rows]), ("labels", numbers[rows].astype(np.uint8))):
            head = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
            (folder / f"{part}-{kind}-idx{array.ndim}-ubyte").write_bytes(head + array.tobytes())


def _dsprites(folder: Path) -> None:
    """The format of dSprites, with some sprites of ours."""
    folder.mkdir()
    sprites = Sprites("sprites", 64)
    grid = FactorGrid(("shape", "scale", "orientation", "x", "y"), tuple(tuple(range(n)) for n in (3, 6, 40, 32, 32)))
    points = np.random.default_rng(0).integers(len(grid), size=300)
    places = np.concatenate([np.zeros((300, 1), dtype=np.int64), grid.factors(points)], axis=1)
    values = places + np.array([1.0, 1, 0, 0, 0, 0])
    name = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    np.savez_compressed(folder / name, imgs=sprites[points] // 255, latents_classes=places, latents_values=values)


def _shapes3d(folder: Path) -> None:
    """The format of 3D Shapes, with flat shapes of ours."""
    folder.mkdir()
    sprites = Sprites("sprites-room", 64)
    points = np.random.default_rng(0).integers(len(sprites), size=200)
    rng = np.random.default_rng(1)
    labels = np.stack([rng.integers(n, size=200) for n in (10, 10, 10, 8, 4, 15)], axis=1).astype(float)
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        file.create_dataset("images", data=sprites[points], chunks=(50, 64, 64, 3), compression="gzip")
        file.create_dataset("labels", data=labels)


def _celeba(folder: Path, digits: Array) -> None:
    """The format of CelebA, with digits for faces."""
    (folder / "img_align_celeba").mkdir(parents=True)
    terms = [term.lstrip("-") for classes in GROUPS.values() for c in classes.values() for t in c for term in t.split()]
    names = list(dict.fromkeys(terms))
    rng = np.random.default_rng(0)
    rows, parts = [], []
    for number in range(60):
        name = f"{number + 1:06}.jpg"
        Image.fromarray(digits[number]).convert("RGB").resize((178, 218)).save(folder / "img_align_celeba" / name)
        rows.append(" ".join([name, *rng.choice(["1", "-1"], size=len(names))]))
        parts.append(f"{name} {number % 3}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(["60", " ".join(names), *rows]) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    draw()
