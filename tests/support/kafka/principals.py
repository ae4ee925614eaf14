"""A client of the secured broker with exactly the rights of one role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kafka.admin import ACL

from shared.settings import Role, TransportSettings, load
from tests.support.kafka.acls import rights
from tests.support.kafka.secured import SecuredBroker

Door = Literal["sasl", "mutual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    #: As ACLs and our messages name it: "User:NAME".
    name: str
    #: The environment variables of our program for this client, KAFKA_TOPIC and KAFKA_GROUP included.
    environment: Mapping[str, str]
    #: The ACLs that were granted, one for each operation.
    acls: tuple[ACL, ...]
    broker: SecuredBroker = field(repr=False)

    @property
    def settings(self) -> TransportSettings:
        return log_settings(self.environment)

    def right(self, operation: str, name: str, kind: str = "topic") -> ACL:
        """Returns its one right to `operation` on the topic or group of this name."""
        wanted = (operation, name, kind.upper())
        resources = [(acl, acl.resource_pattern) for acl in self.acls]
        (found,) = [acl for acl, on in resources if (acl.operation.name, on.resource_name, on.resource_type.name) == wanted]
        return found

    def denied(self, operation: str, resource: str, name: str | None = None) -> str:
        """Returns the pattern of our message for a missing right; `resource` is "topic NAME" or "group NAME"."""
        return re.escape(f"{name or self.name} has no right to {operation} on {resource}")

    def lose(self, acl: ACL) -> None:
        self.broker.take_away(acl)

    def regain(self, acl: ACL) -> None:
        self.broker.grant([acl])


def log_settings(environment: Mapping[str, str]) -> TransportSettings:
    """Returns what our program reads from these variables, and from no others."""
    return load(Role.LOG, environment, dotenv=None).transport


def create_principal(broker: SecuredBroker, role: str, *, topic: str, group: str, door: Door = "sasl") -> Principal:
    """Makes a user (or a certificate) and grants it what docs/operations.md lists for `role`."""
    user, password = broker.create_user(role)
    entrance = broker.sasl_environment(user, password) if door == "sasl" else broker.mutual_environment(user)
    acls = rights(role, f"User:{user}", topic=topic, group=group)
    broker.grant(acls)
    environment = {**entrance, "KAFKA_TOPIC": topic, "KAFKA_GROUP": group}
    return Principal(name=f"User:{user}", environment=environment, acls=tuple(acls), broker=broker)
