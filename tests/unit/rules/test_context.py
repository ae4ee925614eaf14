"""`user` and `context` of a log entry: every documented property, of the right type, whatever the entry holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.context import TenantFacts, event_user, merged_profile, user_and_context
from rules.context_properties import PROPERTIES, PROTOCOLS, Given, JsType

ROOT = Path(__file__).parents[3]
SAMPLES = [json.loads(line) for line in (ROOT / "tests/data/sample-events.jsonl").read_text("utf-8").splitlines()]
PYTHON_TYPES: dict[JsType, tuple[type, ...]] = {
    JsType.STRING: (str,),
    JsType.NUMBER: (int, float),
    JsType.BOOLEAN: (bool,),
    JsType.OBJECT: (dict,),
    JsType.ARRAY: (list,),
}
ABSENT = object()
#: What rules read inside of it is the tenant's own.
OPEN = {
    "clientMetadata", "client_metadata", "connectionOptions", "connectionMetadata", "request.query", "request.geoip",
    "organization", "riskAssessment",
}  # fmt: skip

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_stats = st.fixed_dictionaries({"loginsCount": st.integers(0, 9) | _values})
_prompt = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["mfa", "login"]) | _values,
        "strategy": st.sampled_from(["auth0", "sms", "email", "waad"]) | _values,
        "performed_amr": st.just(["mfa"]) | _values,
        "completedAt": st.integers() | _values,
        "stats": _stats | _values,
    },
)
_details = st.fixed_dictionaries(
    {},
    optional={
        "prompts": st.lists(_prompt | _values, max_size=3) | _values,
        "stats": _stats | _values,
        "session_id": st.text(max_size=4) | _values,
        "riskAssessment": _values,
    },
)
_NAMES = (
    "tenant_name", "client_id", "client_name", "connection", "connection_id", "strategy", "strategy_type", "ip", "client_ip",
    "user_agent", "hostname", "user_id", "user_name", "organization_id", "organization_name", "location_info",
)  # fmt: skip
ENTRIES = st.fixed_dictionaries(
    {"type": st.sampled_from([*PROTOCOLS, "fp"]) | _values},
    optional={**{name: st.text(max_size=8) | _values for name in _NAMES}, "details": _details | _values},
)
PROFILES = st.none() | st.dictionaries(st.sampled_from(["user_id", "app_metadata", "logins_count", "email"]), _values)


def _at(context: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        context = context.get(name, ABSENT) if isinstance(context, dict) else ABSENT
    return context


def _paths(value: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, member in value.items():
        path = f"{before}{name}"
        yield path
        if isinstance(member, dict) and path not in OPEN:
            yield from _paths(member, f"{path}.")


def _check(context: dict[str, Any]) -> None:
    for row in PROPERTIES:
        value = _at(context, row.path)
        parent = row.path.rpartition(".")[0]
        always = row.given not in (Given.SOMETIMES, Given.BY_RULE) and _at(context, parent) is not ABSENT
        assert value is not ABSENT or not always, f"{row.path} is missing"
        assert value is ABSENT or row.given is not Given.BY_RULE, f"{row.path} is only set by rules"
        assert value is ABSENT or type(value) in PYTHON_TYPES[row.type], f"{row.path} is {value!r}"
    assert set(_paths(context)) <= {row.path for row in PROPERTIES}, "a property that is not in the table"


@given(entry=ENTRIES, profile=PROFILES)
def test_every_documented_property_has_its_type_whatever_the_entry_holds(entry: Any, profile: Any) -> None:
    user, context = user_and_context(entry, profile)
    _check(context)
    assert isinstance(user, dict)
    json.dumps([user, context])


@pytest.mark.parametrize("kind", sorted({entry["type"] for entry in SAMPLES}))
def test_the_sample_events_have_every_documented_property(kind: str) -> None:
    for entry in SAMPLES:
        if entry["type"] == kind:
            user, context = user_and_context(entry)
            _check(context)
            assert context["request"]["ip"] == (entry.get("ip") or "")
            assert user["user_id"] == (entry.get("user_id") or "")


@given(entry=ENTRIES, profile=PROFILES)
def test_what_it_is_made_of_stays_as_it_was(entry: Any, profile: Any) -> None:
    before = json.dumps([entry, profile])
    user, context = user_and_context(entry, profile)
    user["name"] = context["request"]["query"] = "changed by a rule"
    assert json.dumps([entry, profile]) == before


def test_the_ip_is_the_persons_and_not_that_of_the_server_that_called() -> None:
    _, context = user_and_context({"type": "sepft", "ip": "203.0.113.7", "client_ip": "198.51.100.9"})
    assert context["request"]["ip"] == "203.0.113.7"


def test_only_a_silent_login_was_asked_for_with_prompt_none() -> None:
    queries = {kind: user_and_context({"type": kind})[1]["request"]["query"] for kind in PROTOCOLS}
    assert queries == {kind: {"prompt": "none"} if kind == "ssa" else {} for kind in PROTOCOLS}


@pytest.mark.parametrize(
    ("details", "profile", "count"),
    [
        ({"prompts": [{"stats": {"loginsCount": 5}}, {"name": "login"}], "stats": {"loginsCount": 4}}, {"logins_count": 3}, 5),
        ({"prompts": [{"stats": {"loginsCount": None}}], "stats": {"loginsCount": 4}}, {"logins_count": 3}, 4),
        ({"prompts": []}, {"logins_count": 3}, 3),
        ({}, {"logins_count": True}, ABSENT),
        ({}, None, ABSENT),
    ],
)
def test_how_often_the_user_logged_in_is_the_prompts_word_then_the_profiles(details: Any, profile: Any, count: Any) -> None:
    _, context = user_and_context({"type": "s", "details": details}, profile)
    assert _at(context, "stats.loginsCount") == count


def test_a_second_factor_and_the_first_one_are_methods() -> None:
    prompts = [
        {"name": "lock-password-authenticate", "strategy": "auth0", "completedAt": 1434454643024},
        {"name": "mfa", "performed_amr": ["mfa"], "completedAt": 1434454643881.5},
        {"name": "login", "completedAt": 1434454643900},
    ]
    _, context = user_and_context({"type": "s", "details": {"prompts": prompts}})
    assert context["authentication"]["methods"] == [
        {"name": "pwd", "timestamp": 1434454643024},
        {"name": "mfa", "timestamp": 1434454643881},
    ]


def test_what_exists_in_some_logins_is_undefined_in_the_others() -> None:
    _, bare = user_and_context({"type": "s"})
    entry = {
        "type": "s",
        "organization_id": "org_1",
        "location_info": {"country_code": "DE", "city_name": None, "other": 1},
        "details": {"riskAssessment": {"confidence": "low"}},
    }
    _, full = user_and_context(entry)
    assert not {"organization", "riskAssessment", "multifactor", "redirect", "primaryUser", "original_protocol"} & bare.keys()
    assert "geoip" not in bare["request"]
    assert full["organization"] == {"id": "org_1", "name": "", "metadata": {}}
    facts = TenantFacts(organization={"metadata": {"plan": "gold"}})
    assert user_and_context({"organization_id": "org_1"}, None, facts)[1]["organization"]["metadata"] == {"plan": "gold"}
    assert full["riskAssessment"] == {"confidence": "low"}
    assert full["request"]["geoip"] == {"country_code": "DE"}


def test_what_the_tenant_said_fills_what_the_event_does_not_know() -> None:
    facts = TenantFacts(
        roles=["admin"],
        client={"client_metadata": {"app": "shop"}},
        connection={"options": {"tenant_domain": "acme.example"}, "metadata": {"tier": "gold"}},
    )
    _, context = user_and_context({"type": "s"}, None, facts)
    assert context["authorization"] == {"roles": ["admin"]}
    assert context["clientMetadata"] == context["client_metadata"] == {"app": "shop"}
    assert context["connectionOptions"] == {"tenant_domain": "acme.example"}
    assert context["connectionMetadata"] == {"tier": "gold"}


def test_app_metadata_is_merged_into_the_root_but_replaces_no_fact_of_auth0() -> None:
    profile = {"user_id": "auth0|1", "plan": "free", "app_metadata": {"plan": "gold", "roles": ["a"], "user_id": "auth0|2"}}
    assert merged_profile(profile) == {**profile, "plan": "gold", "roles": ["a"]}


def test_without_a_profile_the_user_is_what_the_event_says() -> None:
    entry = {"user_id": "google-oauth2|17", "user_name": "ada@example.com", "connection": "google-oauth2"}
    entry |= {"strategy": "google-oauth2", "strategy_type": "social"}
    identity = {"connection": "google-oauth2", "provider": "google-oauth2", "user_id": "17", "isSocial": True}
    assert event_user(entry) == {
        "user_id": "google-oauth2|17",
        "name": "ada@example.com",
        "email": "ada@example.com",
        "nickname": "ada",
        "identities": [identity],
    }
    assert "app_metadata" not in event_user(entry)
