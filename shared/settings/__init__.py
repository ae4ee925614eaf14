"""Our settings: every option declared once, each process reading those of its role from the environment and `.env`.

Plain pydantic models, without pydantic-settings: the source of each value, `NAME_FILE` for secrets and near misses of our names
would have to be built around it. Import this where a command needs it, not at start: pydantic costs about 60 ms.
"""

from shared.settings.auth0 import Auth0
from shared.settings.delivery import Delivery
from shared.settings.filter import Filter
from shared.settings.loading import DOTENV, examine, load, log_format
from shared.settings.log import Log
from shared.settings.loop import Loop
from shared.settings.observability import Ourselves
from shared.settings.option import Group, Role
from shared.settings.settings import GROUPS, Row, Settings
from shared.settings.webhook import Webhook

__all__ = [
    "DOTENV",
    "GROUPS",
    "Auth0",
    "Delivery",
    "Filter",
    "Group",
    "Log",
    "Loop",
    "Ourselves",
    "Role",
    "Row",
    "Settings",
    "Webhook",
    "examine",
    "load",
    "log_format",
]
