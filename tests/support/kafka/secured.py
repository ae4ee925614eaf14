"""One broker with several doors and ACLs on: plaintext for the fixture itself and the other tests, SASL_SSL, and mutual TLS.

A client of the plaintext door is ANONYMOUS, the one super user; all others may do what they were granted.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from tests.support.kafka.broker import PATIENT, JarsBroker, free_port
from tests.support.kafka.certificates import Authority

SCRAM: Final = "SCRAM-SHA-512"
PLAIN_USER: Final = ("plain-user", "plain-password")
#: Only this host name is in the certificates: by "127.0.0.1" a TLS door shows the wrong name.
HOST: Final = "localhost"


_PROTOCOLS: Final = {
    "CONTROLLER": "PLAINTEXT",
    "PLAINTEXT": "PLAINTEXT",
    "SASL_SSL": "SASL_SSL",
    "SSL": "SSL",
    "EXPIRED": "SSL",
    "ASTRAY": "PLAINTEXT",
}


class SecuredBroker(JarsBroker):
    """Its doors, each "host:port": `sasl` asks for a login over TLS, `mutual` for a client certificate.

    Two are broken: `expired` has an old certificate, `astray` (plaintext) sends its clients to a name that does not exist.
    """

    def __init__(self) -> None:
        self.sasl, self.mutual, self.expired, self.astray = (f"{HOST}:{free_port()}" for _ in range(4))
        super().__init__(PATIENT)
        self.authority = Authority(self.folder)
        self._properties |= self._doors()
        self._client: KafkaAdminClient | None = None

    def _doors(self) -> dict[str, str]:
        doors = f"SASL_SSL://{self.sasl},SSL://{self.mutual},EXPIRED://{self.expired},ASTRAY://{self.astray}"
        announced = doors.replace(self.astray, "kafka.invalid:9092")
        return {
            "listeners": f"{self._properties['listeners']},{doors.replace(HOST, '127.0.0.1')}",
            "advertised.listeners": f"{self._properties['advertised.listeners']},{announced}",
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in _PROTOCOLS.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **self._tls(),
            **_logins(),
        }

    def _tls(self) -> dict[str, str]:
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.authority.server("broker", HOST)),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.cafile),
            "listener.name.expired.ssl.keystore.type": "PEM",
            "listener.name.expired.ssl.keystore.location": str(self.authority.server("expired", HOST, expired=True)),
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.ssl.ssl.principal.mapping.rules": "RULE:^CN=([^,]+),.*$/$1/,DEFAULT",
        }

    @property
    def admin(self) -> KafkaAdminClient:
        """A client that may do everything."""
        if self._client is None:
            self._client = KafkaAdminClient(bootstrap_servers=self.bootstrap, reconnect_backoff_max_ms=1000)
        return self._client

    def close(self) -> None:
        self._close_client()
        super().close()

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __reduce__(self) -> tuple[object, ...]:
        return _attached, ({**self.__dict__, "_process": None, "_client": None},)

    def create_user(self, name: str = "user") -> tuple[str, str]:
        """A SCRAM user without any right: name (made unique) and password.

        None is ever deleted: after that and a restart Kafka 4.3.1 knows no SCRAM user at all.
        """
        name, password = f"{name}-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        refused = self.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, SCRAM, password)])[name]
        assert refused is None, refused
        return name, password

    def grant(self, acls: Sequence[ACL]) -> None:
        """In force when it returns."""
        failed = self.admin.create_acls(list(acls))["failed"]
        assert not failed, failed
        for principal in {acl.principal for acl in acls}:
            self._settle(principal, {_key(acl) for acl in acls if acl.principal == principal}, there=True)

    def take_away(self, acl: ACL) -> None:
        """Out of force when it returns."""
        self.admin.delete_acls([_exactly(acl)])
        self._settle(acl.principal, {_key(acl)}, there=False)

    def _settle(self, principal: str, keys: set[tuple[object, ...]], *, there: bool) -> None:
        """Waits for the broker: the controller responds before the broker knows."""
        deadline = time.monotonic() + 5
        while (known := keys & {_key(acl) for acl in self.admin.describe_acls(_all_of(principal))[0]}) != (
            keys if there else set()
        ):
            assert time.monotonic() < deadline, f"of {keys} the broker knows {known}"
            time.sleep(0.01)

    def sasl_environment(self, name: str, password: str, *, mechanism: str = SCRAM) -> dict[str, str]:
        """The environment variables with which our program comes through the SASL_SSL door."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.sasl,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": name,
            "KAFKA_SASL_PASSWORD": password,
            "KAFKA_SSL_CAFILE": str(self.authority.cafile),
        }

    def mutual_environment(self, name: str) -> dict[str, str]:
        """The same with a client certificate; the principal is `User:NAME`."""
        certificate, key = self.authority.client(name)
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.mutual,
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CAFILE": str(self.authority.cafile),
            "KAFKA_SSL_CERTFILE": str(certificate),
            "KAFKA_SSL_KEYFILE": str(key),
        }


class _Attached(SecuredBroker):
    """One that another process of the test run started and ends."""

    def close(self) -> None:
        self._close_client()


def _attached(state: Mapping[str, object]) -> SecuredBroker:
    broker = _Attached.__new__(_Attached)
    vars(broker).update(state)
    return broker


def _logins() -> dict[str, str]:
    security, door = "org.apache.kafka.common.security", "listener.name.sasl_ssl"
    name, password = PLAIN_USER
    modules = {
        SCRAM: "scram.ScramLoginModule required",
        "PLAIN": f'plain.PlainLoginModule required user_{name}="{password}"',
        "OAUTHBEARER": 'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"',
    }
    configs = {f"{door}.{mechanism.lower()}.sasl.jaas.config": f"{security}.{module};" for mechanism, module in modules.items()}
    return {"sasl.enabled.mechanisms": ",".join(modules), **configs}


def _key(acl: ACL) -> tuple[object, ...]:
    on = acl.resource_pattern
    return acl.principal, acl.operation, on.resource_type, on.resource_name, on.pattern_type


def _all_of(principal: str) -> ACLFilter:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)


def _exactly(acl: ACL) -> ACLFilter:
    return ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, acl.resource_pattern)


def unsigned_token(subject: str) -> str:
    """A bearer token as a broker without a key set accepts it; the principal is `User:SUBJECT`."""
    parts = ({"alg": "none"}, {"sub": subject, "iat": time.time() - 10, "exp": time.time() + 3600})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
