"""The settings of one process, as values: its groups, and for output where each text came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from shared.parsers import InvalidValue, text_of
from shared.settings.events import FilterSettings, PrivacySettings
from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.process import LoopSettings, ObservabilitySettings
from shared.settings.rules import RulesSettings
from shared.settings.sources import Entry, SettingError, SourceValue
from shared.settings.tenant import Auth0Settings, PollingSettings
from shared.settings.transport import KAFKA_DRAIN_BOUND, TransportSettings
from shared.settings.webhook import DeliverySettings, WebhookSettings

#: All groups, in the order of the flow.
GROUPS: Final[tuple[type[Group], ...]] = (
    Auth0Settings,
    PollingSettings,
    FilterSettings,
    PrivacySettings,
    TransportSettings,
    WebhookSettings,
    DeliverySettings,
    LoopSettings,
    RulesSettings,
    ObservabilitySettings,
)

G = TypeVar("G", bound=Group)


class OptionRow(NamedTuple):
    """One option for output."""

    name: str
    #: Secrets masked. If it is not set: its default value, or in words what holds instead; empty if it is required.
    value: str
    #: `default`, `environment`, the path of the `.env` file, or `file PATH`; `not set` if it is required.
    source: str
    description: str


@dataclass(frozen=True)
class _GroupOf(Generic[G]):
    """A group as an attribute of the settings. Raises AttributeError for a role that does not have it."""

    group: type[G]

    def __get__(self, settings: Settings, _owner: type | None = None) -> G:
        group = settings.groups.get(self.group)
        if not isinstance(group, self.group):
            raise AttributeError(f"the role {settings.role.value!r} has no settings of the group {self.group.title!r}")
        return group


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process."""

    role: Role
    #: The groups that this process reads; one that has an error is not in `groups`.
    read: tuple[type[Group], ...] = field(repr=False)
    groups: Mapping[type[Group], Group] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)
    #: Variables that begin like ours and are read by nothing.
    unknown: tuple[SourceValue, ...] = field(default=(), repr=False)

    auth0 = _GroupOf(Auth0Settings)
    polling = _GroupOf(PollingSettings)
    filter = _GroupOf(FilterSettings)
    privacy = _GroupOf(PrivacySettings)
    transport = _GroupOf(TransportSettings)
    webhook = _GroupOf(WebhookSettings)
    delivery = _GroupOf(DeliverySettings)
    loop = _GroupOf(LoopSettings)
    rules = _GroupOf(RulesSettings)
    observability = _GroupOf(ObservabilitySettings)

    def secrets(self) -> tuple[str, ...]:
        """Returns every text that must never be shown: secrets, and what URLs carry besides the address."""
        return tuple(secret for option, found in self.entries if found for secret in option.secrets_in(found.text))

    def rows(self) -> tuple[OptionRow, ...]:
        """Returns every option of the role, in the order of the documentation."""
        entries = {entry.option.name: entry for entry in self.entries}
        texts = {name: found.text for name, (_, found) in entries.items() if found}
        options = (option for group in self.read for option in group.options.values())
        return tuple(_row(entries[one.name], texts) if one.name in entries else _unreadable(one) for one in options)

    def notes(self) -> tuple[str, ...]:
        """Returns a line for each thing that is valid and yet should be changed: unknown names, a deprecated one, values that
        hardly fit."""
        old = (
            f"{found.name} is an old name: rename it to {found.name.replace(option.old_name, option.name)}"
            for option, found in self.entries
            if found and option.old_name and found.name.startswith(option.old_name)
        )
        return (
            *_unknown(self.unknown),
            *old,
            *(error.line for error in conflict_errors(_notes(self), self.entries)),
        )

    def conflicts(self) -> Iterator[SettingError]:
        """Returns the conflicts over the borders of groups. A group that could not be read is in no conflict."""
        return conflict_errors(_conflicts(self), self.entries)

    def is_set(self, name: str) -> bool:
        """Returns whether the option of this name was given a value."""
        return any(found and option.name == name for option, found in self.entries)

    def has(self, *groups: type[Group]) -> bool:
        return self.groups.keys() >= set(groups)


def _row(entry: Entry, texts: Mapping[str, str]) -> OptionRow:
    """`texts`: those of the options that are set, by name."""
    option, found = entry
    if found:
        return OptionRow(option.name, option.masked(found.text), found.source, option.sentence)
    if option.required:
        return OptionRow(option.name, "", "not set", option.sentence)
    return OptionRow(option.name, text_of(option.default) or _derived(option, texts), "default", option.sentence)


def _unreadable(option: Option) -> OptionRow:
    return OptionRow(option.name, "(unreadable)", f"{option.name}_FILE", option.sentence)


def _derived(option: Option, texts: Mapping[str, str]) -> str:
    """Returns what holds for an option without a default value."""
    if option.derived and option.derived.name in texts:
        with suppress(InvalidValue):
            return option.derived.value(texts[option.derived.name])
    return option.unset.replace("`", "")


def _unknown(variables: Sequence[SourceValue]) -> Iterator[str]:
    """Returns one line about all of them."""
    if variables:
        names = ", ".join(f"{found.name} ({found.source})" for found in variables)
        yield f"ignored, because this program has no such setting: {names}; `auth0-webhooks config show` lists all settings"


def conflict_errors(conflicts: Iterable[Conflict], entries: Iterable[Entry]) -> Iterator[SettingError]:
    """Returns an error for each; none for one with an option whose text could not be read."""
    by_name = {entry.option.name: entry for entry in entries}
    for names, what, fix in conflicts:
        if by_name.keys() >= set(names):
            shown = " and ".join(str(by_name[name]) for name in names)
            yield SettingError(" or ".join(by_name[name].name for name in names), f"{shown}: {what}; {fix}")


def _conflicts(settings: Settings) -> Iterator[Conflict]:
    """Returns what keeps a process from starting."""
    if not settings.has(LoopSettings):
        return
    loop = settings.loop
    if settings.has(DeliverySettings) and settings.delivery.batched and settings.delivery.batch_max_events > loop.window:
        what = "a batch can never be full, because fewer events than that are taken at a time"
        yield Conflict(("BATCH_MAX_EVENTS", "WINDOW"), what, "lower the first or raise the second")
    if settings.has(TransportSettings) and settings.transport.bootstrap_servers and loop.drain_timeout > KAFKA_DRAIN_BOUND:
        what = f"a partition that Kafka does not get back within {KAFKA_DRAIN_BOUND:g} s is lost, and its events come again"
        names = ("DRAIN_TIMEOUT", "KAFKA_BOOTSTRAP_SERVERS")
        yield Conflict(names, what, f"set the first to {KAFKA_DRAIN_BOUND:g} or less")


def _notes(settings: Settings) -> Iterator[Conflict]:
    """Returns what a process logs when it starts."""
    if settings.has(DeliverySettings, LoopSettings):
        delivery, window = settings.delivery, settings.loop.window
        if delivery.batched and delivery.batch_max_events <= window < delivery.batch_max_events * delivery.concurrent_calls:
            what = "the events taken at a time do not fill that many calls, so batches will be smaller or calls fewer"
            names = ("BATCH_MAX_EVENTS", "WINDOW", "WEBHOOK_CONCURRENT_CALLS")
            yield Conflict(names, what, "raise WINDOW to the product of the other two, or leave it")
        if delivery.max_attempts is not None and delivery.breaker_failures > window:
            what = (
                "the breaker can hardly open, because fewer events than that are under way, and an outage of the webhook would "
                "turn events into dead letters"
            )
            names = ("WEBHOOK_BREAKER_FAILURES", "WINDOW", "WEBHOOK_MAX_ATTEMPTS")
            yield Conflict(names, what, "lower the first or raise the second")
    if settings.has(Auth0Settings) and settings.auth0.domain.startswith("http://"):
        what = "the client secret and the log travel without TLS"
        yield Conflict(("AUTH0_DOMAIN",), what, "keep it for a simulator, else use https://")
    if settings.has(DeliverySettings) and not settings.delivery.batched:
        for name in filter(settings.is_set, ("BATCH_MAX_EVENTS", "BATCH_MAX_BYTES", "BATCH_LINGER")):
            what = "the first has no effect while each event is sent by itself"
            yield Conflict((name, "SEND_AS_BATCH"), what, "set SEND_AS_BATCH to true or lines, or remove the first")
