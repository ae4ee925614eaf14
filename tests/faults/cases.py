"""The faults of the receivers in these tests, and the events that are poisoned."""

from __future__ import annotations

from typing import Final

from simulator.faults import HttpFault
from simulator.journal import ReceivedCall
from tests.support import faults, faults_floods, faults_malformed

YEAR: Final = 31_536_000


def retry_after(value: str, status: int, name: str) -> HttpFault:
    """A `Retry-After` of some shape; the value is latin-1."""
    fault = faults.status(status, headers=(("Retry-After", value),))
    return HttpFault(name=f"{status} retry-after {name}", change=fault.change)


def all_cases(elsewhere: str) -> list[HttpFault]:
    """Each fault once; redirects lead to the URL `elsewhere`, which must never get a call."""
    return [
        *(faults.status(code) for code in (201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 410, 413, 422, 425, 429)),
        *(faults.status(code, body=b"x" * 1000) for code in (500, 502, 503, 504, 999)),
        *(faults.redirect(f"{elsewhere}/{code}", code) for code in (301, 302, 303, 307, 308)),
        retry_after("0", 503, "none"),
        retry_after("1", 429, "a second"),
        retry_after(str(YEAR), 503, "a year"),
        retry_after("-5", 429, "negative"),
        retry_after("Wed, 21 Oct 2099 07:28:00 GMT", 503, "a far date"),
        retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 429, "a past date"),
        retry_after("soon, \xff", 503, "garbage"),
        faults.slow(0.05),
        faults.hang_before_headers(),
        faults.hang_after_headers(),
        faults.close(),
        faults.cut_headers(),
        faults.short_body(),
        faults.reset_before_headers(),
        faults.reset_after_headers(),
        faults.drip(0.02),
        faults.respond_and_close(),
        faults_malformed.garbage(),
        faults_malformed.no_head(),
        faults_malformed.no_status(),
        faults_malformed.bad_header(),
        faults_malformed.two_lengths(),
        faults_malformed.negative_length(),
        faults_malformed.length_and_chunks(),
        faults_malformed.bad_chunk(),
        faults_malformed.cut_chunk(),
        faults_malformed.until_close(),
        faults_malformed.http_1_0(),
        faults_malformed.bare_line_feeds(),
        faults_malformed.switching_protocols(),
        faults_malformed.long_body(),
        faults_malformed.two_responses(),
        faults_malformed.timeout_afterwards(),
        faults_floods.endless_body(),
        faults_floods.huge_body(),
        faults_floods.gzip_bomb(),
        faults_floods.endless_trailers(),
        faults_floods.header_flood(),
        faults_floods.long_header(),
        faults_floods.informational_flood(),
        faults_floods.early_hints(),
        faults_floods.drip_body(0.02),
        faults_floods.drip_headers(0.02),
    ]


#: The responses to a poisoned event.
POISON: Final = (
    faults.status(422, body=b"no such field\n"),
    faults.status(400),
    faults.status(500),
    faults.reset_before_headers(),
)
_POISONED_OF: Final = 89


def is_poison(log_id: str) -> bool:
    """About one event in ninety, chosen by its id."""
    return int(log_id[-20:]) % _POISONED_OF == 0


def meets_poison(call: ReceivedCall) -> bool:
    return is_poison(call.log_id)
