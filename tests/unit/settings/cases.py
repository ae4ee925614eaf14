"""Short ways to set something and see the outcome. The environment of this machine plays no part."""

from __future__ import annotations

from shared.settings import GROUPS, Role, Settings, examine, load

#: What `run` needs at least.
ENOUGH = {
    "AUTH0_DOMAIN": "acme.eu.auth0.com",
    "AUTH0_CLIENT_ID": "the-client",
    "AUTH0_CLIENT_SECRET": "the-secret",
    "WEBHOOK_URL": "https://example.com/hook",
}
OPTIONS = {option.name: option for group in GROUPS for option in group.options.values()}


def role_of(name: str) -> Role:
    """Returns a role that reads the option; `run` if that does."""
    roles = next(group.roles for group in GROUPS for option in group.options.values() if option.name == name)
    return Role.RUN if Role.RUN in roles else min(roles)


def loaded(role: Role = Role.RUN, /, **environ: str) -> Settings:
    return load(role, {**ENOUGH, **environ}, None)


def errors(role: Role = Role.RUN, /, **environ: str) -> tuple[str, ...]:
    return examine(role, {**ENOUGH, **environ}, None).errors


def error(role: Role = Role.RUN, /, **environ: str) -> str:
    (only,) = errors(role, **environ)
    return only


def value(settings: Settings, name: str) -> object:
    return next(
        getattr(group, attribute)
        for group in settings.groups.values()
        for attribute, option in group.options.items()
        if option.name == name
    )
