"""Every property of `context` that Auth0's documentation of Rules names, and what it is here. `docs/rules.md` shows this table.

Sources: Auth0's page "Context Object Properties in Rules" (2026), and the page before it for `jwtConfiguration` and
`original_protocol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Given(StrEnum):
    """When a property has a value."""

    #: Always; where the event does not say it, the empty value of its type.
    ALWAYS = "always"
    #: Always; the value comes from the Management API, else it is the empty value of its type.
    ASKED = "asked for"
    #: Always, and always empty: a log entry does not hold it.
    EMPTY = "empty here"
    #: Undefined, unless the event holds it.
    SOMETIMES = "some logins"
    #: Undefined until a rule sets it.
    BY_RULE = "set by a rule"


class JsType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class Property:
    #: Below `context`, with dots.
    path: str
    type: JsType
    given: Given
    #: For a person: which field of the log entry, or why it is empty.
    source: str


_S, _N, _B, _O, _A = JsType

PROPERTIES: Final = (
    Property("tenant", _S, Given.ALWAYS, "`tenant_name`"),
    Property("clientID", _S, Given.ALWAYS, "`client_id`"),
    Property("clientName", _S, Given.ALWAYS, "`client_name`"),
    Property("clientMetadata", _O, Given.ASKED, "the client's `client_metadata`; needs `read:clients`"),
    Property("client_metadata", _O, Given.ASKED, "the same, by its old name"),
    Property("connectionID", _S, Given.ALWAYS, "`connection_id`"),
    Property("connection", _S, Given.ALWAYS, "`connection`"),
    Property("connectionStrategy", _S, Given.ALWAYS, "`strategy`"),
    Property("connectionOptions", _O, Given.ASKED, "the connection's `options`; needs `read:connections`"),
    Property("connectionMetadata", _O, Given.ASKED, "the connection's `metadata`; needs `read:connections`"),
    Property("samlConfiguration", _O, Given.EMPTY, "the response is already sent: what a rule sets has no effect"),
    Property("jwtConfiguration", _O, Given.EMPTY, "the tokens are already signed: what a rule sets has no effect"),
    Property("protocol", _S, Given.ALWAYS, "by the event's type (below); a log entry does not hold it"),
    Property("original_protocol", _S, Given.BY_RULE, "Auth0 set it after a redirect only; a log entry does not hold it"),
    Property("stats", _O, Given.ALWAYS, ""),
    Property(
        "stats.loginsCount",
        _N,
        Given.SOMETIMES,
        "`details.prompts[].stats.loginsCount`, else `details.stats.loginsCount`, else the user's `logins_count`",
    ),
    Property("sso", _O, Given.ALWAYS, "a log entry does not hold it: false, false and no clients"),
    Property("sso.with_auth0", _B, Given.EMPTY, "false"),
    Property("sso.with_dbconn", _B, Given.EMPTY, "false"),
    Property("sso.current_clients", _A, Given.EMPTY, ""),
    Property("accessToken", _O, Given.EMPTY, "for claims that rules add"),
    Property("idToken", _O, Given.EMPTY, "for claims that rules add"),
    Property("multifactor", _O, Given.BY_RULE, "what it asks for is reported; the login is over"),
    Property("redirect", _O, Given.BY_RULE, "what it asks for is reported; the login is over"),
    Property("primaryUser", _S, Given.BY_RULE, ""),
    Property("sessionID", _S, Given.ALWAYS, "`details.session_id`"),
    Property("request", _O, Given.ALWAYS, ""),
    Property("request.userAgent", _S, Given.ALWAYS, "`user_agent`, as Auth0 writes it into the log: parsed, not the header"),
    Property("request.ip", _S, Given.ALWAYS, "`ip`: the person's, never `client_ip`"),
    Property("request.hostname", _S, Given.ALWAYS, "`hostname`"),
    Property("request.query", _O, Given.EMPTY, "`{prompt: 'none'}` for a silent login (`ssa`), else `{}`"),
    Property("request.body", _O, Given.EMPTY, "a log entry does not hold it"),
    Property("request.geoip", _O, Given.SOMETIMES, "`location_info`, where the tenant writes it"),
    Property("authentication", _O, Given.ALWAYS, ""),
    Property(
        "authentication.methods",
        _A,
        Given.ALWAYS,
        "from `details.prompts[]`: `mfa` for a second factor, else `pwd`, `sms`, `email`, `federated` by strategy",
    ),
    Property("authorization", _O, Given.ALWAYS, ""),
    Property("authorization.roles", _A, Given.ASKED, "the names of the user's roles; needs `read:users` and `read:roles`"),
    Property("organization", _O, Given.SOMETIMES, "`organization_id`, `organization_name`"),
    Property("organization.metadata", _O, Given.ASKED, "the organization's `metadata`; needs `read:organizations`"),
    Property("riskAssessment", _O, Given.SOMETIMES, "`details.riskAssessment`, where Adaptive MFA is on"),
)

#: `context.protocol` by the event's type; '' for any other. SAML and WS-Federation cannot be told from OpenID Connect.
PROTOCOLS: Final = {
    "s": "oidc-basic-profile",
    "ssa": "oidc-basic-profile",
    "seacft": "oidc-basic-profile",
    "scoa": "oidc-implicit-profile",
    "sede": "oauth2-device-code",
    "sens": "oauth2-token-exchange",
    "sepft": "oauth2-password",
    "seotpft": "oauth2-password",
    "seoobft": "oauth2-password",
    "sercft": "oauth2-password",
    "sertft": "oauth2-refresh-token",
}
