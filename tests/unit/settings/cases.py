"""Short ways to set something and see what comes of it. The environment of this machine plays no part."""

from __future__ import annotations

from shared.settings import Role, Settings, examine, load

#: What `run` needs at least.
ENOUGH = {
    "AUTH0_DOMAIN": "acme.eu.auth0.com",
    "AUTH0_CLIENT_ID": "the-client",
    "AUTH0_CLIENT_SECRET": "the-secret",
    "WEBHOOK_URL": "https://example.com/hook",
}


def loaded(role: Role = Role.RUN, /, **environ: str) -> Settings:
    return load(role, {**ENOUGH, **environ}, None)


def problems(role: Role = Role.RUN, /, **environ: str) -> tuple[str, ...]:
    return examine(role, {**ENOUGH, **environ}, None)[1]


def problem(role: Role = Role.RUN, /, **environ: str) -> str:
    (only,) = problems(role, **environ)
    return only
