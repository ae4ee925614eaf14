"""Our settings: every option declared once, each process reading those of its role from the environment and `.env`.

Import this where a command needs it, not at start: pydantic-settings costs about 0.2 s.
"""

from shared.settings.events import FilterSettings
from shared.settings.loading import DOTENV, examine, is_given, load, log_format
from shared.settings.option import Group, Role
from shared.settings.process import LoopSettings, ObservabilitySettings
from shared.settings.rules import RulesSettings
from shared.settings.settings import GROUPS, OptionRow, Settings
from shared.settings.tenant import Auth0Settings, PollingSettings
from shared.settings.transport import KAFKA_DRAIN_BOUND, TransportSettings
from shared.settings.webhook import DeliverySettings, WebhookSettings

__all__ = [
    "DOTENV",
    "GROUPS",
    "KAFKA_DRAIN_BOUND",
    "Auth0Settings",
    "DeliverySettings",
    "FilterSettings",
    "Group",
    "LoopSettings",
    "ObservabilitySettings",
    "OptionRow",
    "PollingSettings",
    "Role",
    "RulesSettings",
    "Settings",
    "TransportSettings",
    "WebhookSettings",
    "examine",
    "is_given",
    "load",
    "log_format",
]
