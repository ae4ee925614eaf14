"""An Auth0 tenant on one's own machine: its token endpoint and its log, with the limits, errors and oddities of the real one.

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
from simulator.faults import Fault
from simulator.http import Exchange, Server
from simulator.rate_limit import Bucket, Plan, Verdict
from simulator.script import Script
from simulator.search import SearchInvalid
from simulator.tenant_log import TenantLog
from simulator.tokens import Application, Tokens, error
from simulator.wire import Answer, Request

UnknownFrom = Literal["400", "404", "oldest"]

_LOGS: Final = "/api/v2/logs"
_NOT_FOUND: Final = error(404, "Not Found", "Not Found")


class Seen(NamedTuple):
    """A request that the tenant got, noted before it was answered."""

    method: str
    path: str
    #: Path and query.
    target: str
    #: Of the answer that was meant.
    status: int
    #: The name of the fault that came with it, if one did.
    fault: str | None


class Tenant(Server):
    """Serves a log. `url` is what to use as `AUTH0_DOMAIN`.

    `faults` is the script for the log's endpoints, `token_faults` that for `/oauth/token`.
    `unknown_from` is what becomes of a `from` that the tenant does not know (any more).
    With `retry_after`, a 429 says when to come back. `clock`: seconds since the epoch.
    """

    def __init__(
        self,
        log: TenantLog,
        *,
        application: Application | None = None,
        plan: Plan | None = None,
        retry_after: bool = False,
        unknown_from: UnknownFrom = "400",
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._handle, tls=tls)
        self.log = log
        self.tokens = Tokens(application or Application())
        self.faults: Script[Request] = Script(seed=seed)
        self.token_faults: Script[Request] = Script(seed=seed)
        #: Every request so far, in order.
        self.requests: list[Seen] = []
        self._bucket = Bucket(plan, now=clock()) if plan else None
        self._retry_after = retry_after
        self._unknown_from = unknown_from
        self._clock = clock

    def count(self, path: str) -> int:
        """How many requests there were for this path."""
        return sum(seen.path == path for seen in tuple(self.requests))

    def _handle(self, request: Request, exchange: Exchange) -> Coroutine[None, None, None] | None:
        script = self.token_faults if request.path == "/oauth/token" else self.faults
        fault, answer = script.choose(request), self._answer(request)
        if fault:
            answer = fault.change(answer)
        self.requests.append(Seen(request.method, request.path, request.target, answer.status, fault.name if fault else None))
        if fault:
            return _misbehave(fault, exchange, answer)
        exchange.respond(answer)
        return None

    def _answer(self, request: Request) -> Answer:
        now = self._clock()
        if request.path == "/oauth/token":
            return self.tokens.issue(request, now) if request.method == "POST" else _NOT_FOUND
        if request.method != "GET" or not (request.path == _LOGS or request.path.startswith(_LOGS + "/")):
            return _NOT_FOUND
        return self._logs(request, now) if self._bucket is None else self._metered(self._bucket, request, now)

    def _metered(self, bucket: Bucket, request: Request, now: float) -> Answer:
        verdict = bucket.take(now)
        answer = self._logs(request, now) if verdict.allowed else self._too_many(verdict)
        headers = {"limit": bucket.plan.burst, "remaining": verdict.remaining, "reset": verdict.reset}
        limits = tuple((f"x-ratelimit-{name}", str(value)) for name, value in headers.items())
        return Answer(answer.status, answer.body, answer.headers + limits)

    def _too_many(self, verdict: Verdict) -> Answer:
        answer = error(429, "Too Many Requests", "Global limit has been reached", "too_many_requests")
        return answer.with_header("Retry-After", str(math.ceil(verdict.wait))) if self._retry_after else answer

    def _logs(self, request: Request, now: float) -> Answer:
        if problem := self.tokens.problem(request, now):
            return problem
        if request.path != _LOGS:
            return self._one(request.path.removeprefix(_LOGS + "/"), self.log.span(now))
        try:
            return self._checkpoint(request, now) if request.parameters.get("from") else self._search(request, now)
        except SearchInvalid as invalid:
            return error(400, "Bad Request", str(invalid), invalid.code)

    def _one(self, log_id: str, span: range) -> Answer:
        index = self.log.find(log_id, span)
        if index is None:
            return error(404, "Not Found", "The log event does not exist", "inexistent_log")
        return Answer.json_bytes(200, self.log.raw(index))

    def _checkpoint(self, request: Request, now: float) -> Answer:
        take = search.number(request.parameters, "take", default=50, least=1, most=100)
        span = self.log.span(now)
        index = self.log.find(request.parameters["from"], span)
        if index is not None:
            return self._page(request, range(index + 1, min(index + 1 + take, span.stop)), take)
        if self._unknown_from == "oldest":
            return self._page(request, span[:take], take)
        status, name = (400, "Bad Request") if self._unknown_from == "400" else (404, "Not Found")
        return error(status, name, "The log event given as from does not exist", "invalid_query_string")

    def _page(self, request: Request, indexes: range, take: int) -> Answer:
        target = request.target
        if indexes:
            target = f"{_LOGS}?{urlencode({'from': self.log.log_id(indexes[-1]), 'take': take})}"
        # The client's own name for us: with another one, the next page would look like another origin to it.
        host = request.headers.get("host") or self.url.partition("://")[2]
        link = f'<{self.url.partition(":")[0]}://{host}{target}>; rel="next"'
        return Answer.json_bytes(200, self._array(indexes), (("Link", link),))

    def _search(self, request: Request, now: float) -> Answer:
        query = search.Query.parse(request.parameters)
        total, indexes = search.find(self.log, self.log.span(now), query)
        body = self._array(indexes)
        if query.totals:
            start, length = query.page * query.per_page, len(indexes)
            head = f'{{"start":{start},"limit":{query.per_page},"length":{length},"total":{total},"logs":'
            body = head.encode() + body + b"}"
        return Answer.json_bytes(200, body)

    def _array(self, indexes: range | list[int]) -> bytes:
        return b"[" + b",".join(map(self.log.raw, indexes)) + b"]"


async def _misbehave(fault: Fault, exchange: Exchange, answer: Answer) -> None:
    await asyncio.sleep(fault.delay)
    await fault.play(exchange, answer)
