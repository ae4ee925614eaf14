"""Somebody who comes to the secured broker with exactly the rights of one role."""

from __future__ import annotations

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
    #: The variables with which our program comes as this one, KAFKA_TOPIC and KAFKA_GROUP included.
    environment: Mapping[str, str]
    #: The ACLs that were granted, one for each operation.
    acls: tuple[ACL, ...]
    broker: SecuredBroker = field(repr=False)

    @property
    def settings(self) -> TransportSettings:
        return log_settings(self.environment)

    def lose(self, acl: ACL) -> None:
        self.broker.take_away(acl)

    def regain(self, acl: ACL) -> None:
        self.broker.grant([acl])


def log_settings(environment: Mapping[str, str]) -> TransportSettings:
    """What our program makes of these variables, and of no others."""
    return load(Role.LOG, environment, dotenv=None).transport


def create_principal(broker: SecuredBroker, role: str, *, topic: str, group: str, door: Door = "sasl") -> Principal:
    """Make a user (or a certificate) and grant it what docs/operations.md lists for `role`."""
    user, password = broker.create_user(role)
    entrance = broker.sasl_environment(user, password) if door == "sasl" else broker.mutual_environment(user)
    acls = rights(role, f"User:{user}", topic=topic, group=group)
    broker.grant(acls)
    environment = {**entrance, "KAFKA_TOPIC": topic, "KAFKA_GROUP": group}
    return Principal(name=f"User:{user}", environment=environment, acls=tuple(acls), broker=broker)
