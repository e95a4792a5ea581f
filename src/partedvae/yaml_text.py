"""YAML in which a name stands once: of two values for it, YAML would take the last and say nothing."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.constructor import BaseConstructor, ConstructorError


def from_yaml(text: str, as_text: bool = False, called: str = "the text") -> Any:
    r"""What a text in YAML holds: numbers, texts, lists and dictionaries.

    Args:
        text: in YAML.
        as_text: whether scalars stay as they are written: ``no`` is false otherwise.
        called: what errors call it.

    Raises:
        yaml.YAMLError: it is not YAML, or a name stands twice; it says where.

    >>> from_yaml("u_dim: 3")
    {'u_dim': 3}
    >>> from_yaml("u_dim: 3\nu_dim: 4")
    Traceback (most recent call last):
    ...
    yaml.constructor.ConstructorError: 'u_dim' stands there twice
      in "the text", line 2, column 1:
        u_dim: 4
        ^
    """
    loader = _TextOnce(text) if as_text else _Once(text)
    loader.name = called
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _NamesOnce(BaseConstructor):
    """Looks at the names of a dictionary before it is made."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode):
                if name.value in seen:
                    raise ConstructorError(None, None, f"{name.value!r} stands there twice", name.start_mark)
                seen.add(name.value)
        return super().construct_mapping(node, deep)


class _Once(_NamesOnce, yaml.SafeLoader):
    """Of numbers and truth values, too."""


class _TextOnce(_NamesOnce, yaml.BaseLoader):
    """Of texts alone."""
