"""The options of the log between producer and consumer: Kafka, or one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args

from shared.parsers import choice, file_to_be, line, matching, readable_file, seconds, whole
from shared.settings.option import Conflict, Group, Option, Role
from shared.settings.urls import server_list

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]

#: Seconds within which Kafka has to get a partition back. A member that takes longer loses it, with what it did and has not
#: committed, and holds up the join of all the others meanwhile.
KAFKA_DRAIN_BOUND: Final = 50.0

# 249 characters are Kafka's limit; the longest name that we derive from it adds 11.
# A name that ends like a derived one is refused: events must not be read from, or written to, the topic of dead letters.
_TOPIC: Final = matching(
    r"(?!\.{1,2}\Z)(?!.*\.(checkpoint|dead|control)\Z)[A-Za-z0-9._-]{1,238}",
    "1 to 238 letters, digits, dots, underscores or hyphens, without .checkpoint, .dead or .control at the end",
)
_GROUP: Final = matching(
    r"(?!.*\.poller\Z)[A-Za-z0-9._-]{1,200}",
    "1 to 200 letters, digits, dots, underscores or hyphens, without .poller at the end",
)


class TransportSettings(Group):
    """Where events wait for delivery: Kafka if `KAFKA_BOOTSTRAP_SERVERS` is set, else one SQLite file."""

    title: ClassVar = "Log"
    roles: ClassVar = frozenset({Role.RUN, Role.PRODUCE, Role.CONSUME, Role.LOG})

    bootstrap_servers: Annotated[
        tuple[str, ...], Option("KAFKA_BOOTSTRAP_SERVERS", server_list, example="kafka-1:9092,kafka-2:9092", unset="none: SQLite")
    ] = ()
    """Some servers of the Kafka cluster; the others are found through them."""
    security_protocol: Annotated[SecurityProtocol, Option("KAFKA_SECURITY_PROTOCOL", choice(*get_args(SecurityProtocol)))] = (
        "PLAINTEXT"
    )
    """How to talk to Kafka: with TLS (`SSL`), with a login (`SASL`), with both or with neither."""
    sasl_mechanism: Annotated[
        SaslMechanism | None, Option("KAFKA_SASL_MECHANISM", choice(*get_args(SaslMechanism)), example="SCRAM-SHA-512")
    ] = None
    """How to log in to Kafka."""
    sasl_username: Annotated[str | None, Option("KAFKA_SASL_USERNAME", line, example="auth0-webhooks")] = None
    """The user to log in as."""
    sasl_password: Annotated[str | None, Option("KAFKA_SASL_PASSWORD", line, secret=True, example="s3cr3t")] = None
    """Its password."""
    ssl_cafile: Annotated[
        Path | None, Option("KAFKA_SSL_CAFILE", readable_file, example="/etc/kafka/ca.pem", unset="system trust store")
    ] = None
    """Certificate authorities to trust for Kafka, instead of the system trust store."""
    ssl_certfile: Annotated[Path | None, Option("KAFKA_SSL_CERTFILE", readable_file, example="/etc/kafka/client.pem")] = None
    """Our certificate, for a cluster that requires one."""
    ssl_keyfile: Annotated[Path | None, Option("KAFKA_SSL_KEYFILE", readable_file, example="/etc/kafka/client.key")] = None
    """The key of it."""
    ssl_password: Annotated[str | None, Option("KAFKA_SSL_PASSWORD", line, secret=True, example="s3cr3t")] = None
    """The password of that key, if it has one."""
    topic: Annotated[str, Option("KAFKA_TOPIC", _TOPIC)] = "auth0.logs"
    """The topic of events; the names of the other topics begin with it."""
    group: Annotated[str, Option("KAFKA_GROUP", _GROUP)] = "auth0-webhooks"
    """The consumer group; the name of the pollers' group begins with it."""
    session_timeout: Annotated[float, Option("KAFKA_SESSION_TIMEOUT", seconds(least=1, most=1800))] = 10.0
    """How long a silent process keeps its partitions. The brokers bound it, usually to 6 to 1800 seconds."""
    sqlite_path: Annotated[Path, Option("SQLITE_PATH", file_to_be)] = Path("auth0-webhooks.db")
    """The SQLite file, created if it is missing."""
    sqlite_retention_days: Annotated[int, Option("SQLITE_RETENTION_DAYS", whole(1, 36500, "days"))] = 14
    """How long the SQLite file keeps events after delivery."""

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
        protocol = self.security_protocol.split("_")
        login = (self.sasl_mechanism or "").startswith(("PLAIN", "SCRAM"))
        if self.security_protocol != "PLAINTEXT" and not self.bootstrap_servers:
            what = "a secured Kafka is described, but no server of it, and SQLite would be used"
            names = ("KAFKA_SECURITY_PROTOCOL", "KAFKA_BOOTSTRAP_SERVERS")
            yield Conflict(names, what, "set KAFKA_BOOTSTRAP_SERVERS")
        for needed, first, second in (
            ("SASL" in protocol, "SECURITY_PROTOCOL", "SASL_MECHANISM"),
            (login, "SASL_MECHANISM", "SASL_USERNAME"),
            (login, "SASL_MECHANISM", "SASL_PASSWORD"),
            (self.ssl_certfile is not None, "SSL_CERTFILE", "SSL_KEYFILE"),
            (self.ssl_keyfile is not None, "SSL_KEYFILE", "SSL_CERTFILE"),
            (self.ssl_password is not None, "SSL_PASSWORD", "SSL_KEYFILE"),
        ):
            if needed and getattr(self, second.lower()) is None:
                names = (f"KAFKA_{first}", f"KAFKA_{second}")
                yield Conflict(names, "the first needs the second", "set the second as well")
        for word, protocols in (("SASL", "SASL_SSL"), ("SSL", "SSL or SASL_SSL")):
            for attribute, option in self.options.items():
                if attribute.startswith(f"{word.lower()}_") and getattr(self, attribute) is not None and word not in protocol:
                    what = f"the first has no meaning without {word} in the second"
                    fix = f"set KAFKA_SECURITY_PROTOCOL to {protocols}, or remove the first"
                    yield Conflict((option.name, "KAFKA_SECURITY_PROTOCOL"), what, fix)
