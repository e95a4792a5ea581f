"""Tables of any content are read or refused, also by the command line."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import QUICK, call
from partedvae.data import DataError, load
from table_files import csv_file, parquet_file, pictures

FEW = settings(max_examples=60, derandomize=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


TEXTS = st.text(string.ascii_letters + string.digits + " ,;\t\"'é\n.-_", max_size=6)
NAMES = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=4), min_size=2, max_size=5, unique=True)


def written(cells: Sequence[Sequence[str]], mark: str) -> bytes:
    """A CSV with every cell in quotes."""
    return "\n".join(mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells).encode()


@FEW
@given(rows=st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=6), mark=st.sampled_from(",;\t"))
def test_any_csv_is_read_or_refused(place: Path, rows: list[list[str]], mark: str) -> None:
    _read_or_refuse(csv_file(place, written(rows, mark)))


SPLICED = st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=3)), min_size=1, max_size=3)


def spliced(content: bytes, splices: Sequence[tuple[int, bytes]], cut: int | None) -> bytes:
    """A file that was damaged: bytes over its own, or its end lost."""
    damaged = bytearray(content)
    for at, new in splices:
        at %= len(damaged)
        damaged[at : at + len(new)] = new
    return bytes(damaged[:cut])


@FEW
@given(splices=SPLICED, cut=st.none() | st.integers(0, 60))
def test_a_damaged_csv_is_read_or_refused(place: Path, splices: list[tuple[int, bytes]], cut: int | None) -> None:
    _read_or_refuse(csv_file(place, spliced('a,b,word,y\n1,2.5,"é, x",1\n3,4,,2\n-5,6e3,z,\n'.encode(), splices, cut)))


@FEW
@given(splices=SPLICED, end=st.booleans(), cut=st.none() | st.integers(0, 2000), lists=st.booleans())
def test_a_damaged_parquet_is_read_or_refused(
    place: Path, splices: list[tuple[int, bytes]], end: bool, cut: int | None, lists: bool
) -> None:
    words = pa.array(["u", None, "v", "u"]).dictionary_encode()
    first = [[1, 2], [3, 4], [5, 6], [7, 8]] if lists else [1.0, 2.0, 3.0, 4.0]
    path = Path(parquet_file(place, "whole.parquet", a=first, word=words, y=[1, 2, 1, None]))
    content = path.read_bytes()
    at_end = [(len(content) - 1 - at, new) for at, new in splices]  # the footer, which says what is where
    (place / "damaged.parquet").write_bytes(spliced(content, at_end if end else splices, cut))
    _read_or_refuse(str(place / "damaged.parquet"))


def _read_or_refuse(source: str) -> None:
    try:
        data = load(source)
    except DataError as error:
        assert Path(source).name in str(error)  # noqa: PT017  # may be raised, or not
        return
    assert len(data.array) == len(data.y) == len(data)


@FEW
@given(data=st.data(), names=NAMES, n_rows=st.integers(1, 6))
def test_a_table_that_is_written_is_read_as_it_was(
    place: Path, data: st.DataObject, names: list[str], n_rows: int
) -> None:
    numbers = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=n_rows, max_size=n_rows)
    clean = TEXTS.map(str.strip).filter(lambda text: text != "-1" and not _is_float(text))
    words = st.lists(clean | st.none() | st.just("word"), min_size=n_rows, max_size=n_rows)
    wholes = st.lists(st.integers(0, 9) | st.none(), min_size=n_rows, max_size=n_rows)
    names = [f"{name}_" for name in names]  # none of those that mean something
    x = np.array([data.draw(numbers) for _ in names[:-1]], dtype=np.float32).T
    text, whole = data.draw(words), data.draw(wholes)
    cells = [[*names[:-1], "text", "y"]]
    for row in range(n_rows):
        values = [repr(float(value)) for value in x[row]]
        cells.append([*values, text[row] or "", "" if whole[row] is None else str(whole[row])])
    both: list[list[Any]] = [[label or None for label in text], whole]
    expected = [column for column in both if any(label is not None for label in column)]
    csv = csv_file(place, written(cells, data.draw(st.sampled_from(",;\t"))), "whole.csv")
    columns = {name: x[:, place] for place, name in enumerate(names[:-1])}
    columns |= {"text": pa.array(text, pa.string()), "y": pa.array(whole, pa.int64())}
    for source in (csv, parquet_file(place, "round.parquet", **columns)):
        found = load(source)
        np.testing.assert_array_equal(found.array, x)
        assert found.feature_names == tuple(names[:-1])
        table = found.y.reshape(n_rows, -1)[:, : len(found.attributes)]
        assert [column.tolist() for column in table.T] == expected


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_the_command_line_describes_every_kind_of_table(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png", "3.png")
    sources = {
        csv_file(tmp_path, "a,b,y\n1,2,u\n3,4,v\n1,2,v\n5,nan,u\n6,,v\n"): (
            "2 features",
            "u 1, v 2",
            "0 = 2",
            "line 5: column b holds 'nan', which is no finite number of 32 bits",
            "2 of 5",
        ),
        parquet_file(tmp_path, v=[[1, 2], [3, 4]], y=["p", "q"]): ("2 features", "p 1, q 1"),
        csv_file(tmp_path, "path,k\n1.png,a\n2.png,b\n3.png,\n", "list.csv"): ("pictures of 8×8", "1 unlabelled"),
    }
    for source, parts in sources.items():
        done = call("data", "describe", source)
        assert done.returncode == 0, done.stderr
        for part in parts:
            assert part in done.stdout.replace("different labels: 0, 2", "0 = 2")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"a,y\n1,u\n2\n", (), "line 3: has 1 cells"),
        ("a,y\n1,é\n".encode("latin-1"), (), "line 2, is not UTF-8"),
        (b"a,y\n1,\n2,\n", (), "has no labels"),
        (b"a,y\n1,u\nnan,v\n", (), "line 3: column a holds 'nan'"),
        (b"a,y\n1,u\n2,v\n", ("--label-columns", "z"), "no column z"),
        (b"path,y\n../x.png,u\n", (), "leads out of"),
        (b"path,y\nx.png,u\n", (), "there is no file"),
        (b"a,y\n1,u\n2,v\n", ("--label-file", "labels.npy"), "there is no such file"),
    ],
)
def test_training_on_a_bad_table_is_one_line_and_leaves_nothing(
    tmp_path: Path, content: bytes, options: tuple[str, ...], message: str
) -> None:
    source = csv_file(tmp_path, content)
    done = call("train", source, "--out", tmp_path / "run", *options, *QUICK)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]
