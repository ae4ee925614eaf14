"""How an option is declared: once, as a field of the frozen model of its group.

    batch_size: Annotated[int, Option("BATCH_SIZE", whole(1, 100, "entries"))] = 100
    \"\"\"How many log entries to ask for at once.\"\"\"

Reading, `config show`, the documentation and `.env.example` all derive from these two lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.masking import MASK
from shared.parsers import Parser, require_value, text_of


class Role(StrEnum):
    """What a process does; it reads the settings of its role and no others."""

    #: Poller and worker in one process.
    RUN = "run"
    PRODUCE = "produce"
    CONSUME = "consume"
    #: Commands that read the log or change it.
    LOG = "log"
    #: One made-up event, posted to the webhook.
    TRIGGER = "trigger"
    #: What the filter says of an entry, without a look at the log.
    EXPLAIN = "explain"
    #: Commands that read rules; they ask nothing of the tenant.
    RULES = "rules"
    #: `rules test` with the tenant at hand.
    RULES_TEST = "rules test"
    #: Commands that touch neither Auth0, nor the log, nor the webhook.
    OBSERVABILITY = "observability"


class Derived(NamedTuple):
    """What holds for an option that is not set, made of the text of another one."""

    name: str
    #: Raises `InvalidValue` for a text that the other option does not take.
    value: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its environment variable, and what may stand there."""

    name: str
    parser: Parser
    #: Masked wherever it would be shown; may be given as `NAME_FILE`, the path of a file that holds it.
    secret: bool = False
    #: A value for the documentation and for messages; by default the default.
    example: str = ""
    #: What holds when the option is not set and has no default value.
    unset: str = "none"
    #: Shown instead of `unset` where the other option is set.
    derived: Derived | None = None
    #: A deprecated name, still read.
    old_name: str = ""
    # The rest comes from the field.
    sentence: str = ""
    required: bool = False
    #: None also for a required option.
    default: object = None

    def read(self, text: str) -> object:
        """Returns its value. Raises `InvalidValue`."""
        require_value(text)
        return self.parser.read(text)

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that can hold its value; the first one that is set counts."""
        return (self.name, self.old_name) if self.old_name else (self.name,)

    def secrets_in(self, text: str) -> tuple[str, ...]:
        """Returns the parts of its text that are masked wherever they appear."""
        within = self.parser.within(text) if self.parser.within else ()
        return (*(text[part] for part in self._hidden(text)), *within)

    def masked(self, text: str) -> str:
        """Returns its text for output: secrets masked, and a long text shortened."""
        for part in reversed(self._hidden(text)):
            text = f"{text[: part.start]}{MASK}{text[part.stop :]}"
        return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"

    def _hidden(self, text: str) -> tuple[slice, ...]:
        if self.secret and text:
            return (slice(0, len(text)),)
        return self.parser.hidden(text) if self.parser.hidden else ()


class Conflict(NamedTuple):
    """Values that do not go together."""

    #: The options that the message names.
    names: tuple[str, ...]
    what: str
    fix: str


class ConflictsFound(ValueError):
    """All conflicts of one group."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = conflicts
        super().__init__("; ".join(f"{conflict.what}; {conflict.fix}" for conflict in conflicts))


class Group(BaseSettings):
    """The options of one part of the program. The class docstring is the introduction in the documentation."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False, use_attribute_docstrings=True
    )

    title: ClassVar[str]
    roles: ClassVar[frozenset[Role]]
    #: By the name of the field.
    options: ClassVar[dict[str, Option]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.options = {}
        for attribute, field in cls.model_fields.items():
            option = next(item for item in field.metadata if isinstance(item, Option))
            default = None if field.is_required() else field.default
            cls.options[attribute] = replace(
                option,
                example=option.example or text_of(default),
                sentence=" ".join((field.description or "").split()),
                required=field.is_required(),
                default=default,
            )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: values, or a `source` of them. A group made in code never reads the environment."""
        source = init_settings().get("source")
        return (source if isinstance(source, PydanticBaseSettingsSource) else init_settings,)

    def conflicts(self) -> Iterable[Conflict]:
        """Returns the conflicts of values that are valid by themselves."""
        return ()

    @field_validator("*", mode="before")
    @classmethod
    def _parse(cls, value: object, info: ValidationInfo) -> object:
        return None if value is None else cls.options[str(info.field_name)].read(text_of(value))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if conflicts := tuple(self.conflicts()):
            raise ConflictsFound(conflicts)
        return self

    def __repr_args__(self) -> list[tuple[str, object]]:
        return [(name, option.masked(text_of(getattr(self, name)))) for name, option in self.options.items()]
