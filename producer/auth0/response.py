"""One request to Auth0 and its complete response, under a deadline and a size cap, as values and our errors.

The one place where httpx's exceptions stop. Redirects are not followed: the token would travel with them.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import httpx

from producer.observer import Auth0Requests
from producer.pacing import RateLimit
from shared.descriptors import REMEDY, is_shortage
from shared.errors import Auth0Unavailable, RateLimited, WebhooksError
from shared.masking import excerpt
from shared.retry_after import http_date, retry_after, whole_seconds
from shared.tls import speaks_something_else

DEADLINE: Final = 30.0  # seconds for one request, response included; below the time a lease lasts without renewal
BODY_CAP: Final = 64 * 1024 * 1024  # 100 entries with 200 kB of details each are 20 MB
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_WAIT_UNKNOWN: Final = 10.0  # seconds, where a 429 does not say how long
_WAIT_LEAST: Final = 1.0
_LEAST_FULL: Final = 1.0  # seconds: what lies in the past says nothing
_WAIT_MOST: Final = 300.0


class BoundedClient:
    """`deadline` in seconds, for one request; `body_cap` in bytes, `too_large`: what to do about a larger body; `requests` counts
    them."""

    def __init__(
        self,
        *,
        proxy: str | None,
        tls: ssl.SSLContext | None,
        deadline: float,
        body_cap: int,
        requests: Auth0Requests,
        too_large: str = "",
    ) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(DEADLINE, connect=10.0),
            follow_redirects=False,
            trust_env=False,
            proxy=proxy,
            verify=tls or True,
        )
        # Cookies are refused: none is needed, and one that is not ASCII breaks every later request.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        #: The setting that says where connections go.
        self._peer = "AUTH0_PROXY" if proxy else "AUTH0_DOMAIN"
        self._deadline = deadline
        self._body_cap = body_cap
        self._too_large = f": {too_large}" if too_large else ""
        self._requests = requests

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, json: Mapping[str, Any] | None = None
    ) -> tuple[httpx.Response, bytes]:
        """Returns the response and its body.

        Raises `Auth0Unavailable` when no complete response arrives and for 5xx, `RateLimited` for 429.
        """
        status = "error"
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._client.stream(method, url, headers=headers, json=json) as response,
            ):
                status = str(response.status_code)
                if method == "GET":  # the token endpoint has a limit of its own
                    remaining = response.headers.get("x-ratelimit-remaining", "")
                    self._requests.remaining = int(remaining) if _DIGITS.fullmatch(remaining) else None
                # Before the body: the headers of one that hangs or breaks off still say how long to wait.
                _expect_served(response, url)
                return response, await self._read(response)
        except TimeoutError:
            raise Auth0Unavailable(f"{without_query(url)} gave no complete response within {self._deadline:g} s") from None
        except WebhooksError:
            raise
        except Exception as error:  # noqa: BLE001  the library's errors, and what it forgets to make one of them
            raise Auth0Unavailable(f"no response from {without_query(url)}: {self._reason(error)}") from None
        finally:
            self._requests.counts[status] += 1

    async def close(self) -> None:
        await self._client.aclose()

    def _reason(self, error: Exception) -> str:
        advice = next(filter(None, map(self._advice, _causes(error))), "")
        return (excerpt(str(error), 300) or type(error).__name__) + advice

    def _advice(self, error: BaseException) -> str:
        """Returns where to look, if this exception tells."""
        match error:
            case ssl.SSLCertVerificationError():
                return ": name the authority to trust in AUTH0_CA_FILE"
            case ssl.SSLError() if speaks_something_else(error):
                return f": its port speaks no TLS, look at {self._peer}"
            case OSError() if is_shortage(error):
                return f": no file descriptor is left, {REMEDY}"
            case socket.gaierror():
                return f": its name has no address, look at {self._peer} and at this machine's name server"
            case ConnectionRefusedError():
                return f": nothing listens there, look at {self._peer}"
            case _:
                return ""

    async def _read(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._body_cap:
                where, cap = without_query(str(response.url)), f"{self._body_cap / 1_048_576:g} MiB"
                raise Auth0Unavailable(f"the response of {where} is larger than {cap}{self._too_large}")
            parts.append(part)
        return b"".join(parts)


def wait_of(headers: Mapping[str, str], now: float) -> float:
    """Returns the seconds to wait after a 429: `Retry-After` (seconds or a date), else `x-ratelimit-reset` (Unix seconds).

    They are bounded. `now` in Unix seconds; the response's own `Date` is preferred, so that a clock that is off does no harm.
    """
    here = http_date(headers.get("date", ""), now) or now
    seconds = retry_after(headers.get("retry-after", ""), here)
    if seconds is None and (moment := whole_seconds(headers.get("x-ratelimit-reset", ""))) is not None:
        seconds = moment - here
    return _WAIT_UNKNOWN if seconds is None else min(max(seconds, _WAIT_LEAST), _WAIT_MOST)


def rate_limit_of(headers: Mapping[str, str], now: float) -> RateLimit | None:
    """Returns what `x-ratelimit-limit`, `-remaining` and `-reset` (Unix seconds) say; None where they are missing or no numbers.

    `now` as for `wait_of`.
    """
    limit, remaining = (headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining"))
    if not (_DIGITS.fullmatch(limit) and _DIGITS.fullmatch(remaining)) or int(limit) < 1:
        return None
    here = http_date(headers.get("date", ""), now) or now
    reset = whole_seconds(headers.get("x-ratelimit-reset", ""))
    # The date is cut to the second, so the bucket is full at this moment or before.
    full_in = max(reset - here, _LEAST_FULL) if reset is not None else None
    return RateLimit(burst=int(limit), remaining=min(int(remaining), int(limit)), full_in=full_in)


def json_object(body: bytes) -> dict[str, Any] | None:
    """Returns the body as a JSON object; None where it is none, so it may not come from Auth0."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def error_text(fields: Mapping[str, Any]) -> str:
    """Returns what Auth0 says in the object of an error, as ` (…)` in one line; empty where it says nothing."""
    text = fields.get("error_description") or fields.get("message")
    if not isinstance(text, str):
        return ""
    return f" ({excerpt(''.join(char if char.isprintable() else ' ' for char in text), 200)})"


def without_query(url: str) -> str:
    """Returns a URL as it may stand in a message."""
    return url.partition("?")[0]


def _expect_served(response: httpx.Response, url: str) -> None:
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = wait_of(response.headers, time.time())
        raise RateLimited(f"{without_query(url)} returned 429: the tenant's rate limit is reached", wait=wait)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Auth0Unavailable(f"{without_query(url)} returned {response.status_code}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it was made of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
