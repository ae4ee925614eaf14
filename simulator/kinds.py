"""The kind of an entry of any log event type, also of one that a tenant as ours would hardly see."""

from __future__ import annotations

import re
from typing import Final

from shared.log_types import LogType, table
from simulator.catalogue import KINDS, EntryKind, Shape

_KNOWN: Final = {kind.type: kind for kind in KINDS}
#: The first that is found in "code, name, category" tells the shape. Auth0 documents no shape of these types.
_SHAPES: Final[tuple[tuple[str, Shape], ...]] = (
    (r"^(gd_|mfar|passkey_|my_account_|too_many_records)", "factor"),
    (r"^(limit_|reset_pwd_leak|signup_pwd_leak)", "block"),
    (r"System - Notification|^(kms_|directory_|resource_|acls_|acul_|custom_domain_|appi)", "notice"),
    (r"Exchange", "exchange"),
    (r"Failure|Failed|failed", "refused"),
    (r"Login|Signup|Silent|Logout|logout", "login"),
)


def kind_of(code: str) -> EntryKind:
    """Returns the kind of a known type. Raises `KeyError` for any other code."""
    return _KNOWN.get(code) or _derived(table()[code])


def _derived(known: LogType) -> EntryKind:
    text = f"{known.code}, {known.name}, {known.category}"
    shape: Shape = next((shape for pattern, shape in _SHAPES if re.search(pattern, text)), "account")
    return EntryKind(known.code, 0, shape, known.name)
