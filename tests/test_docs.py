"""What the documents say is so: commands run, examples run, tables are those of the results."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

import partedvae
import small_tables
from example_sources import make
from partedvae.cli import main
from partedvae.data.celeba import mapping_table
from parts import PAGE, RUNS, table
from readme import DATA, PARTS, README, replaced

ROOT = README.parent
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    """Code blocks of a language in all documents."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands() -> list[str]:
    """Lines of all shell blocks, without comments."""
    return [line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines() if line.strip()]


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks("python")
    assert found
    for block in found:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102  # our own documents
    assert (tmp_path / "digits-model" / "model.safetensors").exists()


@pytest.mark.usefixtures("short_report")
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands():
        program, *arguments = shlex.split(command)
        if program == "make":
            assert re.search(rf"^{arguments[0]}:", makefile, flags=re.MULTILINE), command
            continue
        assert program == "partedvae"
        errors = io.StringIO()
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(errors),
            pytest.raises(SystemExit) as left,
        ):
            main(arguments)
        assert left.value.code == 0, f"{command}: {errors.getvalue()}"
    assert {path.name for path in tmp_path.iterdir()} >= {"predictions.csv", "codes.npz", "threes.png", "swap.png"}


def test_tables_of_evidence_are_those_of_the_results() -> None:
    for document, name, made in PARTS:
        text = document.read_text(encoding="utf-8")
        assert replaced(text, name, made()) == text


@pytest.mark.parametrize("name", RUNS)
def test_the_tables_of_parts_are_those_of_the_results(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page, name, table(name)) == page


@pytest.mark.parametrize("name", small_tables.SETS)
def test_the_figures_of_tables_are_those_of_the_results(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page, name, small_tables.table_of(name)) == page


def test_the_table_of_celeba_is_that_of_the_code() -> None:
    data = DATA.read_text(encoding="utf-8")
    assert replaced(data, "celeba", mapping_table()) == data


def test_links_and_files_named_in_the_documents_exist() -> None:
    package = Path(partedvae.__file__).parent
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
            assert (document.parent / target).exists(), target
        for name in re.findall(r"`(\w+\.py)`", text):
            assert (package / name).exists(), name


def test_the_tests_that_the_page_of_faults_names_are_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    written = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in written} == set()
