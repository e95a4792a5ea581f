"""The published files of built-in data sets: where they are, what they should be, and how they are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from partedvae.data.dataset import DataError
from partedvae.data.extras import require
from partedvae.data.reading import Reading


class Published(NamedTuple):
    """A file as its authors, or a mirror of theirs, publish it."""

    name: str
    url: str
    checksum: str


def _published(folder: str, md5_of: dict[str, str]) -> tuple[Published, ...]:
    return tuple(Published(name, f"{folder}/{name}", f"md5:{md5}") for name, md5 in md5_of.items())


REGISTRY: dict[str, tuple[Published, ...]] = {
    "mnist": _published(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": _published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "dsprites": _published(
        "https://github.com/google-deepmind/dsprites-dataset/raw/fa310c66517cfc1939d77fe17c725154efc97127",
        {"dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": "7da33b31b13a06f4b04a70402ce90c2e"},
    ),
    "shapes3d": _published(
        "https://storage.googleapis.com/3d-shapes", {"3dshapes.h5": "099a2078d58cec4daad0702c55d06868"}
    ),
}
"""The files of each data set that can be downloaded."""

CELEBA = (
    "CelebA is not downloaded: its authors give it out at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, for "
    "research that is not commercial. Put list_attr_celeba.txt, list_eval_partition.txt and the folder "
    "img_align_celeba into one folder, and name that with --data-dir."
)
"""Where to get CelebA, and what to do with it."""


def fetch(name: str, folder: Path) -> None:
    """Download the files of a data set that are not in the folder; those that are there stay as they are.

    Args:
        name: of the data set.
        folder: where its files go; it is made if need be.

    Raises:
        DataError: the data set is not offered for download, pooch is not installed, or a file did not arrive as it was
            published, in which case nothing of that file is left.
    """
    if name == "celeba":
        raise DataError(f"--download: {CELEBA}")
    for file in REGISTRY[name]:
        if not (folder / file.name).exists():
            _retrieve(file, folder)


def data_folder(name: str, reading: Reading) -> Path:
    """The folder that ``--data-dir`` names, or an error that asks for it."""
    if reading.data_dir is None:
        raise DataError(f"{name}: name the folder that its files lie in, or are to be downloaded to, with --data-dir.")
    return Path(reading.data_dir)


def published_file(name: str, reading: Reading) -> Path:
    """The only file of a data set, downloaded first if it is missing and that was asked for.

    Raises:
        DataError: there is no such file, or it cannot be downloaded.
    """
    (file,) = REGISTRY[name]
    path = data_folder(name, reading) / file.name
    if reading.download and not path.exists():
        fetch(name, path.parent)
    if not path.is_file():
        raise DataError(f"{name}: there is no file {path}. It is published at {file.url}; --download fetches it.")
    return path


def _retrieve(file: Published, folder: Path) -> None:
    pooch = require("pooch", "download", f"--download of {file.url}")
    target = folder / file.name
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(file.url, file.checksum, fname=file.name, path=folder)
    except OSError as error:  # of the network too: those of requests are such
        answer = getattr(error, "response", None)
        if answer is not None:
            answer.close()  # pooch leaves it open if it is a refusal
        raise DataError(f"{file.url} cannot be downloaded to {target}: {error}") from None
    except ValueError:
        raise DataError(
            f"{file.url} has not the checksum of the published file ({file.checksum}), so {target} was not written. "
            "Try again later, or get the file from elsewhere and put it there."
        ) from None
