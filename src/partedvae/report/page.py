"""``report.html``: one self-contained file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import matplotlib
from jinja2 import Environment
from matplotlib.figure import Figure

from partedvae.config import Config
from partedvae.persistence import package_version, write_whole
from partedvae.report.lettering import letter, missing_letters_told_once
from partedvae.report.sections import Section, Shown, Subject, all_sections

_DPI = 130


def write_report(path: Path, subject: Subject, title: str, subtitle: str, facts: Mapping[str, str]) -> None:
    """Write the page, and every figure of it as PNG and SVG files into ``figures/`` beside it.

    Args:
        subject: the model and what to show it on.
        title, subtitle: head of the page.
        facts: numbers to show first, by name.
    """
    folder = path.parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    taken: set[str] = set()
    with missing_letters_told_once():
        for section in all_sections(subject):
            pictures = [(shown, _png(shown.figure)) for shown in section.figures]
            for shown, content in pictures:
                name = _file_name(shown.name, taken)
                _keep(folder / f"{name}.png", content)
                _keep(folder / f"{name}.svg", _svg(shown.figure))
            sections.append(_for_template(section, pictures))
    settings = subject.model.config_
    template = Environment(autoescape=True).from_string(_template())
    page = template.render(
        title=title,
        subtitle=subtitle,
        facts=facts.items(),
        sections=sections,
        settings=[(name, getattr(settings, name), field.description) for name, field in Config.model_fields.items()],
        version=package_version(),
    )
    content = page.encode(errors="backslashreplace")  # a file may be called by what is no Unicode
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def save_png(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    with missing_letters_told_once():
        content = _png(figure)
    _keep(path, content)


def _keep(path: Path, content: bytes) -> None:
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    letter(figure)
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    letter(figure)
    # Without a salt the names within an SVG file differ from run to run.
    with matplotlib.rc_context({"svg.hashsalt": "partedvae"}):
        figure.savefig(buffer, format="svg", dpi=_DPI, metadata={"Date": None})
    return buffer.getvalue()


def _for_template(section: Section, pictures: list[tuple[Shown, bytes]]) -> dict[str, object]:
    return {
        "title": section.title,
        "paragraphs": section.text.split("\n\n"),
        "figures": [
            {"png": base64.b64encode(content).decode(), "alt": shown.alt, "caption": shown.caption}
            for shown, content in pictures
        ],
    }


def _file_name(name: str, taken: set[str]) -> str:
    """A name without what file systems cannot take, different from those that are taken, which it joins."""
    plain = "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
    while plain in taken:
        plain += "_"
    taken.add(plain)
    return plain


def _template() -> str:
    return resources.files("partedvae.report").joinpath("page.html").read_text(encoding="utf-8")
