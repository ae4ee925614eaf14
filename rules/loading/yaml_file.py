"""YAML with the line of every value: the door to PyYAML. Nothing is constructed but texts, lists and mappings of known keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from shared.suggestions import nearest

_NULL: Final = "tag:yaml.org,2002:null"


class YamlInvalid(Exception):
    """What is wrong, and the line where, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlValue:
    """A value and where it stands."""

    node: yaml.Node

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag != _NULL

    def text(self, what: str) -> str:
        """Returns a scalar as it is written. Raises `YamlInvalid`."""
        if not self.is_text:
            raise self.invalid(f"{what} must be a text, not {self._kind()}")
        return str(self.node.value)

    def items(self, what: str) -> Sequence[YamlValue]:
        """Returns the values of a list. Raises `YamlInvalid`."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.invalid(f"{what} must be a list, not {self._kind()}")
        return [YamlValue(node) for node in self.node.value]

    def members(self, what: str, known: Collection[str] | None = None) -> dict[str, YamlValue]:
        """Returns the members of a mapping. Raises `YamlInvalid` for a key twice, and for one that is not known."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.invalid(f"{what} must be a mapping, not {self._kind()}")
        members: dict[str, YamlValue] = {}
        for key, node in self.node.value:
            name = YamlValue(key).text(f"a key of {what}")
            if name in members:
                raise YamlValue(key).invalid(
                    f"{what} has the key {name!r} twice (first in line {members[name].line}); remove one"
                )
            if known is not None and name not in known:
                raise YamlValue(key).invalid(f"{what} has no key {name[:60]!r}; {_hint(name, known)}")
            members[name] = YamlValue(node)
        return members

    def invalid(self, problem: str) -> YamlInvalid:
        return YamlInvalid(self.line, problem)

    def _kind(self) -> str:
        match self.node:
            case yaml.SequenceNode():
                return "a list"
            case yaml.MappingNode():
                return "a mapping"
        return repr(self.node.value[:60]) if self.is_text else "empty"


def parse_yaml(text: str) -> YamlValue | None:
    """Returns the only document of a text; None for an empty one. Raises `YamlInvalid`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlInvalid(mark.line + 1 if mark else 1, f"is not valid YAML ({error.problem or error.context})") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlInvalid(line, "holds a character that YAML does not allow; remove it") from None
    except RecursionError:
        raise YamlInvalid(1, "is nested too deeply") from None
    return YamlValue(node) if node is not None else None


def _hint(name: str, known: Collection[str]) -> str:
    meant = nearest(name, known)
    return f"did you mean {meant!r}?" if meant else f"it knows {', '.join(sorted(known))}"
