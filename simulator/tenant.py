"""An Auth0 tenant on your own machine: its tokens, log and users, with the limits, errors and oddities of the real one.

Everything runs in the event loop that called `start`. The log, the scripts, `tokens` and `requests` may be used from any thread.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Final, Literal, NamedTuple
from urllib.parse import urlencode

from simulator import search
from simulator.faults import HttpFault
from simulator.http import Exchange, Server
from simulator.rate_limit import Admission, Bucket, RatePlan
from simulator.script import Script
from simulator.search import SearchInvalid
from simulator.tenant_log import TenantLog
from simulator.tokens import Application, Tokens, error
from simulator.users import PATH as _USERS
from simulator.users import SCOPES, Users
from simulator.wire import HttpRequest, HttpResponse

UnknownFrom = Literal["400", "404", "oldest"]

_Endpoint = Callable[[HttpRequest, float], HttpResponse]

_LOGS: Final = "/api/v2/logs"
_NOT_FOUND: Final = error(404, "Not Found", "Not Found")


class ReceivedRequest(NamedTuple):
    """A request that the tenant got, recorded before the response."""

    method: str
    path: str
    #: Path and query.
    target: str
    #: Of the response as planned; a fault may send less of it.
    status: int
    #: The name of the fault that was chosen for it, if any.
    fault: str | None


class Tenant(Server):
    """Serves a log. Use its `url` as `AUTH0_DOMAIN`.

    `faults` is the script for the log's endpoints, `token_faults` the one for `/oauth/token`.
    `unknown_from`: the response to a `from` that the tenant does not know (any more): an error, or the oldest entries.
    With `retry_after`, a 429 has that header. `clock`: seconds since the epoch. `users`: those that it has.
    """

    def __init__(
        self,
        log: TenantLog,
        *,
        application: Application | None = None,
        plan: RatePlan | None = None,
        retry_after: bool = False,
        users: Users | None = None,
        unknown_from: UnknownFrom = "400",
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._handle, tls=tls)
        self.log = log
        self.users = users or Users()
        self.tokens = Tokens(application or Application())
        self.faults: Script[HttpRequest] = Script(seed=seed)
        self.token_faults: Script[HttpRequest] = Script(seed=seed)
        #: Every request so far, in order.
        self.requests: list[ReceivedRequest] = []
        self._bucket = Bucket(plan, now=clock()) if plan else None
        self._retry_after = retry_after
        self._unknown_from = unknown_from
        self._clock = clock

    def count(self, path: str) -> int:
        """Returns the number of requests for this path."""
        return sum(request.path == path for request in tuple(self.requests))

    def _handle(self, request: HttpRequest, exchange: Exchange) -> Coroutine[None, None, None] | None:
        script = self.token_faults if request.path == "/oauth/token" else self.faults
        fault, response = script.choose(request), self._respond_to(request)
        if fault:
            response = fault.change(response)
        self.requests.append(
            ReceivedRequest(request.method, request.path, request.target, response.status, fault.name if fault else None)
        )
        if fault:
            return _misbehave(fault, exchange, response)
        exchange.respond(response)
        return None

    def _respond_to(self, request: HttpRequest) -> HttpResponse:
        now = self._clock()
        if request.path == "/oauth/token":
            return self.tokens.issue(request, now) if request.method == "POST" else _NOT_FOUND
        respond = self._endpoint(request)
        if respond is None:
            return _NOT_FOUND
        return respond(request, now) if self._bucket is None else self._metered(self._bucket, respond, request, now)

    def _endpoint(self, request: HttpRequest) -> _Endpoint | None:
        if request.path.startswith(_USERS) and request.method in SCOPES:
            return self._user
        if request.method == "GET" and (request.path == _LOGS or request.path.startswith(_LOGS + "/")):
            return self._logs
        return None

    def _user(self, request: HttpRequest, now: float) -> HttpResponse:
        return self.tokens.problem(request, now, SCOPES[request.method]) or self.users.respond(request, now)

    def _metered(self, bucket: Bucket, respond: _Endpoint, request: HttpRequest, now: float) -> HttpResponse:
        admission = bucket.take(now)
        response = respond(request, now) if admission.allowed else self._too_many(admission)
        headers = {"limit": bucket.plan.burst, "remaining": admission.remaining, "reset": admission.reset}
        limits = tuple((f"x-ratelimit-{name}", str(value)) for name, value in headers.items())
        return HttpResponse(response.status, response.body, response.headers + limits)

    def _too_many(self, admission: Admission) -> HttpResponse:
        response = error(429, "Too Many Requests", "Global limit has been reached", "too_many_requests")
        return response.with_header("Retry-After", str(math.ceil(admission.wait))) if self._retry_after else response

    def _logs(self, request: HttpRequest, now: float) -> HttpResponse:
        if problem := self.tokens.problem(request, now):
            return problem
        if request.path != _LOGS:
            return self._entry(request.path.removeprefix(_LOGS + "/"), self.log.span(now))
        try:
            return self._checkpoint(request, now) if request.parameters.get("from") else self._search(request, now)
        except SearchInvalid as invalid:
            return error(400, "Bad Request", str(invalid), invalid.code)

    def _entry(self, log_id: str, span: range) -> HttpResponse:
        index = self.log.find(log_id, span)
        if index is None:
            return error(404, "Not Found", "The log event does not exist", "inexistent_log")
        return HttpResponse.json_bytes(200, self.log.raw(index))

    def _checkpoint(self, request: HttpRequest, now: float) -> HttpResponse:
        take = search.number(request.parameters, "take", default=50, least=1, most=100)
        span = self.log.span(now)
        index = self.log.find(request.parameters["from"], span)
        if index is not None:
            return self._page(request, range(index + 1, min(index + 1 + take, span.stop)), take)
        if self._unknown_from == "oldest":
            return self._page(request, span[:take], take)
        status, name = (400, "Bad Request") if self._unknown_from == "400" else (404, "Not Found")
        return error(status, name, "The log event given as from does not exist", "invalid_query_string")

    def _page(self, request: HttpRequest, indexes: range, take: int) -> HttpResponse:
        target = request.target
        if indexes:
            target = f"{_LOGS}?{urlencode({'from': self.log.log_id(indexes[-1]), 'take': take})}"
        # The name that the client uses for us: with another one, the next page would look like another origin to it.
        host = request.headers.get("host") or self.url.partition("://")[2]
        link = f'<{self.url.partition(":")[0]}://{host}{target}>; rel="next"'
        return HttpResponse.json_bytes(200, self._array(indexes), (("Link", link),))

    def _search(self, request: HttpRequest, now: float) -> HttpResponse:
        query = search.Query.parse(request.parameters)
        total, indexes = search.find(self.log, self.log.span(now), query)
        body = self._array(indexes)
        if query.totals:
            start, length = query.page * query.per_page, len(indexes)
            head = f'{{"start":{start},"limit":{query.per_page},"length":{length},"total":{total},"logs":'
            body = head.encode() + body + b"}"
        return HttpResponse.json_bytes(200, body)

    def _array(self, indexes: range | list[int]) -> bytes:
        return b"[" + b",".join(map(self.log.raw, indexes)) + b"]"


async def _misbehave(fault: HttpFault, exchange: Exchange, response: HttpResponse) -> None:
    await asyncio.sleep(fault.delay)
    await fault.play(exchange, response)
