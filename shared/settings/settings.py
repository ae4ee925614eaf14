"""The settings of one process, as values: its groups, and for people's eyes where each text came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from shared.settings.auth0 import Auth0Settings
from shared.settings.cross_checks import NOTED, Clash
from shared.settings.delivery import DeliverySettings
from shared.settings.filter import FilterSettings
from shared.settings.loop import LoopSettings
from shared.settings.observability import ObservabilitySettings
from shared.settings.option import Declaration, Group, Role
from shared.settings.parsers import text_of
from shared.settings.sources import Found
from shared.settings.transport import TransportSettings
from shared.settings.webhook import WebhookSettings

#: All groups, in the order of the flow.
GROUPS: Final[tuple[type[Group], ...]] = (
    Auth0Settings,
    FilterSettings,
    TransportSettings,
    WebhookSettings,
    DeliverySettings,
    LoopSettings,
    ObservabilitySettings,
)

G = TypeVar("G", bound=Group)


class Row(NamedTuple):
    """One option for people's eyes."""

    name: str
    #: Secrets masked. If it is not set: its default value, or in words what holds instead; empty if it is missing.
    value: str
    #: `default`, `environment`, the path of the `.env` file, or `file PATH`.
    source: str
    description: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An option of the role and what was found for it."""

    declared: Declaration
    found: Found | None

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.declared.option.secrets_in(self.found.text) if self.found else ()

    @property
    def row(self) -> Row:
        option = self.declared.option
        if self.found:
            return Row(option.name, option.shown(self.found.text), self.found.source, option.sentence)
        return Row(option.name, text_of(self.declared.default) or option.unset, "default", option.sentence)

    def __str__(self) -> str:
        """Name, text and source, as a message begins."""
        if self.found:
            return f"{self.found.name}={self.declared.option.shown(self.found.text)!r} ({self.found.source})"
        default = text_of(self.declared.default)
        return f"{self.declared.option.name}={default!r} (default)" if default else f"{self.declared.option.name} (not set)"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. A group that its role does not have raises AttributeError."""

    role: Role
    groups: Mapping[type[Group], Group] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def auth0(self) -> Auth0Settings:
        return self._group(Auth0Settings)

    @property
    def filter(self) -> FilterSettings:
        return self._group(FilterSettings)

    @property
    def transport(self) -> TransportSettings:
        return self._group(TransportSettings)

    @property
    def webhook(self) -> WebhookSettings:
        return self._group(WebhookSettings)

    @property
    def delivery(self) -> DeliverySettings:
        return self._group(DeliverySettings)

    @property
    def loop(self) -> LoopSettings:
        return self._group(LoopSettings)

    @property
    def observability(self) -> ObservabilitySettings:
        return self._group(ObservabilitySettings)

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be shown, for masking: secrets, and what URLs carry besides the address."""
        return tuple(secret for entry in self.entries for secret in entry.secrets)

    def rows(self) -> tuple[Row, ...]:
        """Every option of the role, in the order of the documentation."""
        return tuple(entry.row for entry in self.entries)

    def notes(self) -> tuple[str, ...]:
        """What is right and yet should be changed, a line each: old names in use, and what hardly fits together."""
        used = ((entry.declared.option, entry.found.name) for entry in self.entries if entry.found)
        old = (
            f"{name} is an old name: rename it to {name.replace(option.old_name, option.name)}"
            for option, name in used
            if option.old_name and name.startswith(option.old_name)
        )
        return (*old, *self.clashing(NOTED))

    def is_set(self, name: str) -> bool:
        """Whether somebody gave the option of this name a value."""
        return any(entry.found and entry.declared.option.name == name for entry in self.entries)

    def clashing(self, clashes: Iterable[Clash]) -> Iterator[str]:
        """A line for each that is there. What the role does not read, or could not be read, clashes with nothing."""
        read = {declared.option.name for group in self.groups for declared in group.declarations()}
        entries = {name: entry for entry in self.entries if (name := entry.declared.option.name) in read}
        for clash in clashes:
            if entries.keys() >= set(clash.names) and clash.there(self):
                yield f"{' and '.join(str(entries[name]) for name in clash.names)}: {clash.what}; {clash.fix}"

    def _group(self, kind: type[G]) -> G:
        group = self.groups.get(kind)
        if not isinstance(group, kind):
            raise AttributeError(f"the role {self.role.value!r} has no settings of the group {kind.title!r}")
        return group
