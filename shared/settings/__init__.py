"""Our settings: every option declared once, each process reading those of its role from the environment and `.env`.

Plain pydantic models, without pydantic-settings: the source of each value, `NAME_FILE` for secrets and near misses of our names
would have to be built around it. Import this where a command needs it, not at start: pydantic costs about 60 ms.
"""

from shared.settings.auth0 import Auth0Settings
from shared.settings.delivery import DeliverySettings
from shared.settings.filter import FilterSettings
from shared.settings.loading import DOTENV, examine, load, log_format
from shared.settings.loop import LoopSettings
from shared.settings.observability import ObservabilitySettings
from shared.settings.option import Group, Role
from shared.settings.settings import GROUPS, Row, Settings
from shared.settings.transport import TransportSettings
from shared.settings.webhook import WebhookSettings

__all__ = [
    "DOTENV",
    "GROUPS",
    "Auth0Settings",
    "DeliverySettings",
    "FilterSettings",
    "Group",
    "LoopSettings",
    "ObservabilitySettings",
    "Role",
    "Row",
    "Settings",
    "TransportSettings",
    "WebhookSettings",
    "examine",
    "load",
    "log_format",
]
