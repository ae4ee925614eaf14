"""Where kafka-python's exceptions stop and become ours.

A missing right arrives with the resource at most; the principal and the operation are known here only, so they are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kafka.errors import AuthorizationError, KafkaError, RetriableError, SaslAuthenticationFailedError

from shared.errors import TransportUnreachable, TransportUnusable, WebhooksError
from shared.masking import excerpt
from shared.settings import TransportSettings
from shared.transport.kafka.client.security import login_advice, uses_sasl


@dataclass(frozen=True, slots=True)
class Access:
    """A right in Kafka's words: `Access("READ", "topic auth0.logs")`."""

    operation: str
    #: Kind and name: "topic …", "group …" or "cluster".
    resource: str


@contextmanager
def translated(
    settings: TransportSettings, doing: str, access: Access, *, otherwise: type[WebhooksError] = TransportUnusable
) -> Iterator[None]:
    """Turns every error of the library and of the sockets below into one of ours; anything else is a bug and goes through.

    `doing` completes "Kafka failed while …"; `access` is the right that this needs. Refused rights and credentials raise
    `TransportUnusable`, all else `otherwise`; where that is `TransportUnusable` too, a broken connection raises
    `TransportUnreachable`.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        raise translation(settings, error, doing, access, otherwise=otherwise) from error


def translation(
    settings: TransportSettings,
    error: BaseException,
    doing: str,
    access: Access,
    *,
    otherwise: type[WebhooksError] = TransportUnusable,
) -> WebhooksError:
    """Returns what `translated` would raise."""
    if is_denied(error):
        return TransportUnusable(denied(settings, access))
    if isinstance(error, SaslAuthenticationFailedError):
        return TransportUnusable(f"Kafka refuses the login of {principal(settings)}: {login_advice(settings)}")
    if otherwise is TransportUnusable and passes(error):
        otherwise = TransportUnreachable
    return otherwise(f"Kafka failed while {doing}: {reason(error)}")


def passes(error: BaseException) -> bool:
    """Returns whether the error only says that no response came, or not yet."""
    return isinstance(error, (RetriableError, OSError))


def is_denied(error: BaseException) -> bool:
    """Returns whether a right is missing. Looks at the text too: an idempotent producer wraps the error in a plain KafkaError."""
    return isinstance(error, AuthorizationError) or "AuthorizationFailedError" in str(error)


def denied(settings: TransportSettings, access: Access) -> str:
    """Returns the message for a missing right: principal, operation, resource, and what to do."""
    return (
        f"{principal(settings)} has no right to {access.operation} on {access.resource} in Kafka: "
        "grant it (docs/operations.md lists what each role needs)"
    )


def principal(settings: TransportSettings) -> str:
    """Returns our name as an ACL would give it, as far as it can be known on this side."""
    if uses_sasl(settings):
        elsewhere = {"OAUTHBEARER": "the token's subject", "AWS_MSK_IAM": "the IAM identity"}
        return elsewhere.get(settings.sasl_mechanism or "") or f"User:{settings.sasl_username}"
    return "the certificate's subject" if settings.ssl_certfile else "User:ANONYMOUS"


def reason(error: BaseException) -> str:
    """Returns the error's text in one line, shortened."""
    return excerpt(" ".join(str(error).split()) or type(error).__name__, 300)
