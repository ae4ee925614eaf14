"""How an option is declared: once, as the annotation of a field in the frozen model of its group.

    batch_size: Annotated[int, Option("BATCH_SIZE", whole(1, 100), "How many …")] = 100

Reading, `config show`, the documentation and `.env.example` all derive from that one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from shared.masking import MASK
from shared.settings.parsers import Kind, Refused, text_of


class Role(StrEnum):
    """What a process is there for; it reads the settings of its role and no others."""

    #: Poller and worker in one process.
    RUN = "run"
    PRODUCE = "produce"
    CONSUME = "consume"
    #: Commands that look at the log or change it.
    LOG = "log"
    #: Commands that touch neither Auth0, nor the log, nor the webhook.
    OURSELVES = "ourselves"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its environment variable, what may stand there, and a sentence for a person."""

    name: str
    kind: Kind
    sentence: str
    #: Masked wherever it would be shown; may be given as `NAME_FILE`, the path of a file that holds it.
    secret: bool = False
    #: A value for the documentation and for messages; only where the default is no example.
    example: str = ""
    #: What holds when the option is not set and has no default value.
    unset: str = ""
    #: A name from before, still read.
    old_name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that can hold its value, the first one that is set counts."""
        return (self.name, self.old_name) if self.old_name else (self.name,)

    def secrets_in(self, text: str) -> tuple[str, ...]:
        """The parts of its text that nobody may see."""
        return (*(text[part] for part in self._hidden(text)), *self.kind.within(text))

    def shown(self, text: str) -> str:
        """Its text for people's eyes: what is hidden replaced, what is long shortened."""
        for part in reversed(self._hidden(text)):
            text = f"{text[: part.start]}{MASK}{text[part.stop :]}"
        return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"

    def _hidden(self, text: str) -> tuple[slice, ...]:
        return (slice(0, len(text)),) if self.secret and text else self.kind.hidden(text)

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._accept, handler(source))

    def _accept(self, value: object) -> object:
        return None if value is None else self.kind.read(text_of(value))


class Declaration(NamedTuple):
    """An option where it stands in its group."""

    attribute: str
    option: Option
    required: bool
    #: None also for a required option.
    default: object

    @property
    def example(self) -> str:
        return self.option.example or text_of(self.default)


class Conflict(Refused):
    """Values that do not go together; `attributes` are the fields of the group that hold them."""

    def __init__(self, *attributes: str, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.attributes = attributes


class Conflicts(ValueError):
    """All that does not go together in one group."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.all = tuple(conflicts)
        super().__init__("; ".join(map(str, self.all)))


class Group(BaseModel):
    """The options of one part of the program. The class docstring is the introduction in the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    title: ClassVar[str]
    roles: ClassVar[frozenset[Role]]

    @classmethod
    def declarations(cls) -> Iterator[Declaration]:
        for attribute, field in cls.model_fields.items():
            option = next(item for item in field.metadata if isinstance(item, Option))
            required = field.is_required()
            yield Declaration(attribute, option, required, None if required else field.default)

    def conflicts(self) -> Iterator[Conflict]:
        """What does not go together, once every value is right by itself."""
        return iter(())

    @model_validator(mode="after")
    def _check(self) -> Self:
        conflicts = tuple(self.conflicts())
        if conflicts:
            raise Conflicts(conflicts)
        return self

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        for attribute, option, _, _ in self.declarations():
            yield attribute, option.shown(text_of(getattr(self, attribute)))
