"""The fields of an entry besides its type, date and ids: one function for each shape of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from random import Random
from typing import Final

from simulator import catalogue
from simulator.catalogue import ClientApp, EntryKind, Shape
from simulator.people import Person, ip_address

Fields = dict[str, object]


def _login(_kind: EntryKind, person: Person, random: Random) -> Fields:
    count = random.randrange(1, 400)
    prompt = {"name": "login", "flow": "universal-login", "timers": {"rules": random.randrange(2, 90)}, "elapsedTime": None}
    prompt |= {"user_id": person.user_id, "user_name": person.email, "stats": {"loginsCount": count}}
    details = {"prompts": [prompt], "session_id": f"{random.getrandbits(160):040x}", "stats": {"loginsCount": count}}
    return _at_browser(person, random) | _account(person) | {"details": details, "security_context": _fingerprint(random)}


def _refused(kind: EntryKind, person: Person, random: Random) -> Fields:
    application = _application(person, random)
    error = {"message": kind.description, "oauthError": kind.description, "type": "invalid_user_password"}
    body = {"client_id": application.client_id, "username": person.email, "password": "*****", "grant_type": "password"}
    known = kind.type in ("fp", "fsa")
    # Where the user is not known, Auth0 has no id for it; in `f` even the name is the application's.
    who = {"user_id": person.user_id if known else "", "user_name": application.name if kind.type == "f" else person.email}
    details = {"error": error, "body": body, "qs": {}, "connection": person.connection.name}
    return _at_browser(person, random, application) | _account(person) | who | {"details": details}


def _exchange(kind: EntryKind, person: Person, random: Random) -> Fields:
    application = _application(person, random)
    grant = "refresh_token" if "rt" in kind.type else "authorization_code"
    asked = {"audience": application.audience, "scope": application.scope, "details": {"grant_type": grant}}
    return _at_browser(person, random, application) | _account(person) | asked


def _machine(_kind: EntryKind, _person: Person, random: Random) -> Fields:
    machine = random.choice(catalogue.MACHINES)
    return {
        "client_id": machine.client_id,
        "client_name": machine.name,
        "ip": ip_address(random),
        "user_agent": "Other 0.0.0 / Other 0.0.0",
        "user_id": "",
        "user_name": "",
        "audience": machine.audience,
        "scope": machine.scope,
    }


def _block(_kind: EntryKind, person: Person, random: Random) -> Fields:
    details = {"title": "Blocked", "email": person.email, "attempts": random.randrange(10, 60)}
    return _at_browser(person, random) | _account(person) | {"details": details}


def _factor(_kind: EntryKind, person: Person, random: Random) -> Fields:
    authenticator = {"type": random.choice(("push", "otp", "webauthn-roaming")), "id": f"dev_{random.getrandbits(64):016x}"}
    details = {"authenticator": authenticator, "request": {"ip": person.ip, "method": "POST", "path": "/mfa/challenge"}}
    return _at_browser(person, random) | _account(person) | {"details": details}


def _account_change(_kind: EntryKind, person: Person, random: Random) -> Fields:
    details = {"email": person.email, "query": {"tenant": catalogue.TENANT, "connection": person.connection.name}, "body": {}}
    return _at_browser(person, random) | _account(person) | {"details": details}


def _api(kind: EntryKind, person: Person, random: Random) -> Fields:
    machine = catalogue.MACHINES[0]
    method = {"sapi": "patch", "fapi": "patch", "mgmt_api_read": "get"}[kind.type]
    status = {"sapi": 200, "fapi": 403, "mgmt_api_read": 200}[kind.type]
    request = {
        "method": method,
        "path": f"/api/v2/users/{person.user_id}",
        "query": {},
        "ip": person.ip,
        "auth": {"strategy": "jwt"},
    }
    details = {"request": request, "response": {"statusCode": status, "body": {}}, "accessedSecrets": []}
    return {
        "client_id": machine.client_id,
        "client_name": machine.name,
        "ip": ip_address(random),
        "user_id": "",
        "details": details,
    }


def _notice(_kind: EntryKind, _person: Person, random: Random) -> Fields:
    return {"client_id": None, "client_name": None, "ip": None, "details": {"current": random.randrange(80, 100), "limit": 100}}


SHAPES: Final[dict[Shape, Callable[[EntryKind, Person, Random], Fields]]] = {
    "login": _login,
    "refused": _refused,
    "exchange": _exchange,
    "machine": _machine,
    "block": _block,
    "factor": _factor,
    "account": _account_change,
    "api": _api,
    "notice": _notice,
}


def _at_browser(person: Person, random: Random, application: ClientApp | None = None) -> Fields:
    application = application or _application(person, random)
    at_home = random.random() < 0.9
    city = person.city if at_home else random.choice(catalogue.CITIES)
    return {
        "client_id": application.client_id,
        "client_name": application.name,
        "ip": person.ip if at_home else ip_address(random),
        "user_agent": person.browser.name,
        "isMobile": person.browser.mobile,
        "location_info": asdict(city),
        "auth0_client": {"name": "auth0-spa-js", "version": "2.9.1"},
    }


def _application(person: Person, random: Random) -> ClientApp:
    return random.choice([one for one in catalogue.APPLICATIONS if person.browser.mobile or not one.mobile])


def _account(person: Person) -> Fields:
    connection = person.connection
    return {
        "connection": connection.name,
        "connection_id": connection.connection_id,
        "user_id": person.user_id,
        "user_name": person.email,
        "strategy": connection.strategy,
        "strategy_type": connection.strategy_type,
    }


def _fingerprint(random: Random) -> Fields:
    return {
        "ja3": f"{random.getrandbits(128):032x}",
        "ja4": f"t13d1516h2_{random.getrandbits(48):012x}_{random.getrandbits(48):012x}",
    }
