"""The rights of each role, read from the table in docs/operations.md: what the document says is what the tests grant."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

_DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "operations.md"
_HEAD: Final = "| role | resource | pattern | name | operations |"
_TOPIC: Final = "auth0.logs"
_GROUP: Final = "auth0-webhooks"


def rights(role: str, principal: str, *, topic: str, group: str) -> list[ACL]:
    """One ACL for each operation of the role; `principal` is "User:NAME", `topic` and `group` take the place of the defaults."""
    rows = [row for row in _rows() if row[0] == role]
    assert rows, f"docs/operations.md knows no role {role}"
    return [acl for row in rows for acl in _acls(row, principal, topic=topic, group=group)]


def _rows() -> list[list[str]]:
    lines = _DOCUMENT.read_text().splitlines()
    table = lines[lines.index(_HEAD) + 2 :]
    table = table[: table.index("")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def _acls(row: list[str], principal: str, *, topic: str, group: str) -> list[ACL]:
    _, kind, pattern, name, operations = row
    ours, here = (_TOPIC, topic) if kind == "topic" else (_GROUP, group)
    assert name.startswith(ours), f"docs/operations.md: {name} is no {kind} of ours"
    resource = ResourcePattern(
        ResourceType[kind.upper()], here + name.removeprefix(ours), ACLResourcePatternType[pattern.upper()]
    )
    return [_allow(principal, operation.strip(), resource) for operation in operations.split(",")]


def _allow(principal: str, operation: str, resource: ResourcePattern) -> ACL:
    return ACL(principal, "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
