"""Parsers of addresses: the webhook, the tenant, a proxy, the Kafka servers. Nothing is resolved here.

Strict on purpose: what two programs may read differently (a port of 0, an address in octal, a space, a backslash) is refused.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.address_policy import refusal_of_host
from shared.parsers import InvalidValue, parser

_LONGEST: Final = 2048
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
_LABELS: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*")
_NUMERIC: Final = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)")
_SERVER: Final = re.compile(r"(?P<host>\[[^\[\]]*:[^\[\]]*\]|[^:\[\]]+)(:(?P<port>.*))?")


def credentials_in(url: str) -> tuple[slice, ...]:
    """The parts of a URL to mask: the password (or a user without one) and the query, which often carries keys.

    In a broken URL the end of a password is unknown: then everything after the scheme, if there is an @.
    """
    start = url.find("://") + 3 if "://" in url else 0
    if "@" in url and (start == 0 or _is_broken(url)):
        return (slice(start, len(url)),)
    userinfo = urlsplit(url).netloc.rpartition("@")[0] if "@" in url else ""
    user = userinfo.partition(":")[0]
    password = slice(start + (len(user) + 1 if ":" in userinfo else 0), start + len(userinfo))
    query = slice(url.find("?") + 1 if "?" in url else len(url), len(url))
    return tuple(part for part in (password, query) if part.start < part.stop)


def is_private(url: str) -> bool:
    """Whether an IP address that is not public stands in a URL; a name is judged when it is resolved."""
    return bool(refusal_of_host(urlsplit(url).hostname or "", allow_private=False))


@parser("`https://` or `http://` URL", credentials_in)
def webhook_url(text: str) -> str:
    """Without userinfo and fragment."""
    parts = _split(text)
    if parts.username is not None:
        raise InvalidValue("must not carry a user or password", "put `Basic …` or `Bearer …` into AUTHORIZATION instead")
    if "#" in text:
        raise InvalidValue("must not carry a fragment, which is never sent", "remove everything from the # on")
    if refused := refusal_of_host(parts.hostname or "", allow_private=True):
        raise InvalidValue(f"is never a webhook: {refused}", "use the name or the address of your receiver")
    return text


@parser("host name, or a URL with its scheme for a simulator", credentials_in)
def tenant_domain(text: str) -> str:
    """A host name; or, for a simulator, a URL with a scheme and without a path; without TLS on private hosts only."""
    domain = text.strip().rstrip("/").lower()
    parts = _split(domain if "://" in domain else f"https://{domain}")
    host = parts.hostname or ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        raise InvalidValue("must be a host name alone", "leave out the path and everything else, such as acme.eu.auth0.com")
    if "://" not in domain and "." not in domain:
        fix = "write it in full, such as acme.eu.auth0.com, or a simulator's http:// URL"
        raise InvalidValue("is not a whole host name", fix)
    # A name without a dot is one of this machine or of a container.
    if parts.scheme == "http" and ("." in host or ":" in host) and not refusal_of_host(host, allow_private=False):
        fix = "use https://; http:// is for a simulator on a private address"
        raise InvalidValue("would send the client secret without TLS", fix)
    return domain


@parser("`http://` or `https://` URL, with user and password if need be", credentials_in)
def proxy_url(text: str) -> str:
    parts = _split(text)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidValue("must be scheme, host and port alone", "remove what follows the port")
    return text


@parser("`host:port`, several separated by commas", lambda text: (slice(0, len(text)),) if "@" in text else ())
def server_list(text: str) -> tuple[str, ...]:
    """The value is a tuple of them, without the spaces and the repeats."""
    servers = tuple(dict.fromkeys(server for server in map(str.strip, text.split(",")) if server))
    if text and not servers:
        raise InvalidValue("names no server")
    if errors := [error for server in servers if (error := _server_error(server))]:
        raise InvalidValue(", ".join(errors))
    return servers


def _server_error(server: str) -> str:
    """What is wrong with one `host:port`, or nothing."""
    match = _SERVER.fullmatch(server)
    if "@" in server:
        return "a user or password does not belong here (see KAFKA_SASL_USERNAME)"
    if "://" in server:
        return f"{server!r} must be host:port without a scheme"
    if any(map(str.isspace, server)):
        return f"{server!r} is not one host:port (separate servers by commas)"
    if match and match["port"] is None:
        return f"{server!r} has no port (write {server}:9092, if that is the one)"
    if not match or not _is_host(match["host"].strip("[]")) or not _is_port(match["port"]):
        return f"{server!r} is not host:port"
    return ""


def _split(text: str) -> SplitResult:
    """The parts of an http or https URL with a host that means one thing only. Raises `InvalidValue`."""
    if foreign := _FOREIGN.search(text):
        what = "a space or line break" if foreign[0].isspace() else f"the character {foreign[0]!r}"
        raise InvalidValue(f"contains {what}", "write it as a URL does: %-escapes in the path, xn-- in the host")
    if len(text) > _LONGEST:
        raise InvalidValue(f"is {len(text)} characters long, {_LONGEST} are allowed", "shorten it")
    if "://" not in text:
        raise InvalidValue("has no scheme", "put https:// in front of it")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidValue("is not a URL: its host or port cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidValue(f"has the scheme {parts.scheme!r}", "use https:// or http://")
    if not host:
        raise InvalidValue("has no host")
    if not _is_host(host):
        raise InvalidValue("has a host that is neither a name nor an address in its usual form")
    if port == 0:
        raise InvalidValue("has port 0", "use a port from 1 to 65535")
    return parts


def _is_host(host: str) -> bool:
    """A name, an IPv4 address in its one usual form, or an IPv6 address without a zone (given without its brackets)."""
    if ":" in host or _NUMERIC.fullmatch(host):
        try:
            return "%" not in host and bool(ipaddress.ip_address(host))
        except ValueError:
            return False
    return bool(_LABELS.fullmatch(host))


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) <= 65535


def _is_broken(url: str) -> bool:
    """Whether host and port cannot be told from what stands around them."""
    try:
        return bool(_FOREIGN.search(url)) or urlsplit(url).port == 0
    except ValueError:
        return True
