"""Fonts for names of classes in any script."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

_FIRST = "DejaVu Sans"  # matplotlib brings it along; it has Latin, Greek, Cyrillic and Arabic letters
_WIDE = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Nirmala UI", "Arial Unicode MS",
)  # fmt: skip
_MISSING = re.compile(r"Glyph (\d+) .*missing from")


@cache
def families() -> list[str]:
    """Matplotlib's own font, and those of other scripts that this machine has.

    >>> families()[0]
    'DejaVu Sans'
    """
    here = set(font_manager.get_font_names())
    return [_FIRST, *(name for name in _WIDE if name in here)]


def letter(figure: Figure) -> None:
    """Let names that the usual font may not have be written in others."""
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            text.set_fontfamily(families())


@contextmanager
def missing_letters_told_once() -> Iterator[None]:
    """One warning of all letters that no font here has, in place of one for each time that each is drawn."""
    log = logging.getLogger(font_manager.__name__)  # which tells of weights that another font does not have
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield
    finally:
        log.setLevel(level)
    missing = {found[1] for warning in said if (found := _MISSING.match(str(warning.message)))}
    for warning in said:
        if not _MISSING.match(str(warning.message)):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing:
        letters = "".join(sorted(chr(int(number)) for number in missing))
        warnings.warn(f"No font that matplotlib finds has {letters}: figures show boxes in their place.", stacklevel=3)
