"""The settings of the log between our two halves: Kafka, or one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from shared.settings.address import server_list
from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.parsers import choice, file_to_be, line, matching, readable_file, seconds, whole

# 249 characters are Kafka's limit; the longest name that we derive from it adds 11.
# What ends like a derived name is one: events must not be read from, or written to, the topic of dead letters.
_TOPIC: Final = matching(
    r"(?!\.{1,2}\Z)(?!.*\.(checkpoint|dead|control)\Z)[A-Za-z0-9._-]{1,238}",
    "1 to 238 letters, digits, dots, underscores or hyphens, without .checkpoint, .dead or .control at the end",
)
_GROUP: Final = matching(
    r"(?!.*\.poller\Z)[A-Za-z0-9._-]{1,200}",
    "1 to 200 letters, digits, dots, underscores or hyphens, without .poller at the end",
)

_SASL: Final = ("sasl_mechanism", "sasl_username", "sasl_password")
_SSL: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password")


class TransportSettings(Group):
    """Where events wait for delivery: Kafka if `KAFKA_BOOTSTRAP_SERVERS` is set, else one SQLite file."""

    title: ClassVar = "Log"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE, Role.CONSUME, Role.LOG})

    bootstrap_servers: Annotated[
        tuple[str, ...],
        Option(
            "KAFKA_BOOTSTRAP_SERVERS",
            server_list(),
            "Some servers of the Kafka cluster; the others are found through them.",
            example="kafka-1:9092,kafka-2:9092",
            unset="none: SQLite",
        ),
    ] = ()
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Option(
            "KAFKA_SECURITY_PROTOCOL",
            choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
            "How to talk to Kafka: with TLS (`SSL`), with a login (`SASL`), with both or with neither.",
        ),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"] | None,
        Option(
            "KAFKA_SASL_MECHANISM",
            choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"),
            "How to log in to Kafka.",
            example="SCRAM-SHA-512",
            unset="none",
        ),
    ] = None
    sasl_username: Annotated[
        str | None, Option("KAFKA_SASL_USERNAME", line(), "The user to log in as.", example="auth0-webhooks", unset="none")
    ] = None
    sasl_password: Annotated[
        str | None, Option("KAFKA_SASL_PASSWORD", line(), "Its password.", secret=True, example="…", unset="none")
    ] = None
    ssl_cafile: Annotated[
        Path | None,
        Option(
            "KAFKA_SSL_CAFILE",
            readable_file(),
            "Certificate authorities to trust for Kafka, instead of the usual ones.",
            example="/etc/kafka/ca.pem",
            unset="the usual ones",
        ),
    ] = None
    ssl_certfile: Annotated[
        Path | None,
        Option(
            "KAFKA_SSL_CERTFILE",
            readable_file(),
            "Our certificate, for a cluster that wants one.",
            example="/etc/kafka/client.pem",
            unset="none",
        ),
    ] = None
    ssl_keyfile: Annotated[
        Path | None,
        Option("KAFKA_SSL_KEYFILE", readable_file(), "The key of it.", example="/etc/kafka/client.key", unset="none"),
    ] = None
    ssl_password: Annotated[
        str | None,
        Option("KAFKA_SSL_PASSWORD", line(), "The password of that key, if it has one.", secret=True, example="…", unset="none"),
    ] = None
    topic: Annotated[str, Option("KAFKA_TOPIC", _TOPIC, "The topic of events; the names of the other topics begin with it.")] = (
        "auth0.logs"
    )
    group: Annotated[str, Option("KAFKA_GROUP", _GROUP, "The consumer group; the name of the pollers' group begins with it.")] = (
        "auth0-webhooks"
    )
    session_timeout: Annotated[
        float,
        Option(
            "KAFKA_SESSION_TIMEOUT",
            seconds(least=1, most=1800),
            "How long a silent process keeps its partitions. The brokers bound it, usually to 6 to 1800 seconds.",
        ),
    ] = 10.0
    sqlite_path: Annotated[Path, Option("SQLITE_PATH", file_to_be(), "The SQLite file, made if it is missing.")] = Path(
        "auth0-webhooks.db"
    )
    sqlite_retention_days: Annotated[
        int, Option("SQLITE_RETENTION_DAYS", whole(1, 36500, "days"), "How long the SQLite file keeps events after delivery.")
    ] = 14

    @property
    def checkpoint_topic(self) -> str:
        return f"{self.topic}.checkpoint"

    @property
    def dead_topic(self) -> str:
        return f"{self.topic}.dead"

    @property
    def control_topic(self) -> str:
        return f"{self.topic}.control"

    @property
    def poller_group(self) -> str:
        return f"{self.group}.poller"

    def conflicts(self) -> Iterator[Conflict]:
        if self.security_protocol != "PLAINTEXT" and not self.bootstrap_servers:
            what = "a secured Kafka is described, but no server of it, and SQLite would be used"
            yield Conflict("security_protocol", "bootstrap_servers", what=what, fix="set KAFKA_BOOTSTRAP_SERVERS")
        yield from self._missing()
        yield from self._pointless()

    def _missing(self) -> Iterator[Conflict]:
        if "SASL" in self.security_protocol and not self.sasl_mechanism:
            yield self._lacks("security_protocol", "sasl_mechanism")
        if self.sasl_mechanism and self.sasl_mechanism.startswith(("PLAIN", "SCRAM")):
            for attribute in ("sasl_username", "sasl_password"):
                if getattr(self, attribute) is None:
                    yield self._lacks("sasl_mechanism", attribute)
        for attribute, other in (
            ("ssl_certfile", "ssl_keyfile"),
            ("ssl_keyfile", "ssl_certfile"),
            ("ssl_password", "ssl_keyfile"),
        ):
            if getattr(self, attribute) is not None and getattr(self, other) is None:
                yield self._lacks(attribute, other)

    def _pointless(self) -> Iterator[Conflict]:
        for word, attributes in (("SASL", _SASL), ("SSL", _SSL)):
            for attribute in attributes:
                if getattr(self, attribute) is not None and word not in self.security_protocol.split("_"):
                    what = f"the first has no meaning without {word} in the second"
                    protocols = "SASL_SSL" if word == "SASL" else "SSL or SASL_SSL"
                    fix = f"set KAFKA_SECURITY_PROTOCOL to {protocols}, or remove the first"
                    yield Conflict(attribute, "security_protocol", what=what, fix=fix)

    def _lacks(self, attribute: str, other: str) -> Conflict:
        return Conflict(attribute, other, what="the first needs the second", fix="set the second as well")
