"""JSON schemas of what commands print with `--json`: keys that programs may rely on."""

from __future__ import annotations

from typing import Any, Final


def _object(**properties: Any) -> dict[str, Any]:
    """Every key is there, and no other."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_AGE: Final = {"type": "number", "minimum": 0}
_MOMENT: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"}
_BREAKER: Final = {"enum": ["closed", "open", "half-open"]}

STATUS: Final = _object(
    sentence={"type": "string", "minLength": 1},
    state={"enum": ["paused", "no_consumer", "no_poller", "webhook_down", "delivering", "idle"]},
    transport={"enum": ["Kafka", "SQLite"]},
    tenant=_or_null(_TEXT),
    webhook=_or_null(_TEXT),
    group=_or_null(_TEXT),
    members=_or_null(_COUNT),
    paused=_or_null(_object(by=_TEXT, why=_TEXT, since=_MOMENT)),
    checkpoint=_or_null(_object(log_id=_TEXT, date=_TEXT, caught_up=_or_null(_MOMENT), age=_or_null(_AGE))),
    poller=_or_null(
        _object(
            replica=_TEXT,
            standby={"type": "array", "items": _TEXT},
            last_poll=_or_null(_MOMENT),
            caught_up=_FLAG,
            failures=_COUNT,
            last_error=_TEXT,
        )
    ),
    partitions={
        "type": "array",
        "items": _object(
            partition=_COUNT,
            begin=_COUNT,
            end=_COUNT,
            committed=_or_null(_COUNT),
            lag=_COUNT,
            done_beyond=_COUNT,
            undelivered=_COUNT,
            owner=_or_null(_TEXT),
            oldest=_or_null(
                _object(log_id=_TEXT, type=_TEXT, age=_AGE, attempts=_or_null(_COUNT), last_outcome=_TEXT, reason=_TEXT)
            ),
        ),
    },
    replicas={
        "type": "array",
        "items": _object(
            id=_TEXT,
            role={"enum": ["run", "produce", "consume"]},
            version=_TEXT,
            started=_MOMENT,
            seen=_MOMENT,
            stale=_FLAG,
            leading=_or_null(_FLAG),
            share=_or_null(_COUNT),
            in_flight=_or_null(_COUNT),
            window_events=_or_null(_COUNT),
            waiting_retry_events=_or_null(_COUNT),
            paused=_or_null(_FLAG),
            breaker=_or_null(_BREAKER),
            rules=_or_null(_TEXT),
        ),
    },
    breaker=_or_null(_object(state=_BREAKER, since=_or_null(_MOMENT), last_outcome=_TEXT, probe_at=_or_null(_MOMENT))),
    rules=_or_null(
        _object(differ=_FLAG, switched_off={"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}})
    ),
    undelivered=_COUNT,
    dead_letters=_or_null(_COUNT),
    gaps=_or_null(_COUNT),
    rates={"type": "object", "additionalProperties": _AGE},
    unknown={"type": "array", "items": _TEXT},
)
EXPLANATIONS: Final = {
    "type": "array",
    "items": _object(
        log_id=_TEXT,
        type=_TEXT,
        level=_or_null({"type": "integer", "minimum": 0, "maximum": 4}),
        passes=_FLAG,
        setting={"enum": ["", "LOG_TYPES", "LOG_LEVEL"]},
        why={"type": "string", "minLength": 1},
    ),
}
TAILED: Final = _object(
    log_id=_TEXT,
    type=_TEXT,
    level=_or_null({"type": "integer", "minimum": 0, "maximum": 4}),
    date=_TEXT,
    partition=_COUNT,
    offset=_COUNT,
    published=_MOMENT,
    event=_TEXT,
)
SHOWN: Final = _object(
    log_id=_TEXT,
    state={"enum": ["filtered", "waiting", "retrying", "in_flight", "delivered", "dead", "gap", "unknown"]},
    why={"type": "string", "minLength": 1},
    partition=_or_null(_COUNT),
    offset=_or_null(_COUNT),
    attempts=_or_null(_COUNT),
    last_outcome=_or_null(_TEXT),
    next_try=_or_null(_MOMENT),
    behind=_or_null(_TEXT),
)
GAPS: Final = {
    "type": "array",
    "items": _object(
        id={"type": "string", "minLength": 1},
        kind={"enum": ["auth0", "too_large", "retention", "offsets"]},
        time=_MOMENT,
        by=_TEXT,
        why={"type": "string", "minLength": 1},
        policy={"enum": ["continue", "stop"]},
        certain=_FLAG,
        before=_TEXT,
        before_date=_TEXT,
        after=_TEXT,
        after_date=_TEXT,
        span=_or_null(_AGE),
        partition=_or_null(_COUNT),
        first_offset=_or_null(_COUNT),
        last_offset=_or_null(_COUNT),
        size=_or_null(_COUNT),
        sha256=_TEXT,
    ),
}
CHECKPOINT: Final = _object(log_id=_TEXT, date=_TEXT, caught_up=_or_null(_MOMENT), reset=_FLAG, gaps=_or_null(_COUNT))
