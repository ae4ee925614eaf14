"""What counts as personal data in a log entry: the fields of `PII_FIELDS`, and the keys that hold each of them.

The six of Auth0's Log Streams have their names there (`pii_config.log_fields`); `ip` and `user_id` are ours. docs/privacy.md has
this table for people, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Final

from shared.words import PiiField

#: The keys whose values are hidden, as `normalized` writes them: `phone_number`, `phoneNumber` and `Phone-Number` are one key.
KEYS: Final[Mapping[PiiField, Set[str]]] = {
    PiiField.FIRST_NAME: {"firstname", "givenname", "fullname", "displayname"},
    PiiField.LAST_NAME: {"lastname", "familyname", "surname", "fullname", "displayname"},
    PiiField.USERNAME: {"username", "nickname", "preferredusername", "loginhint"},
    PiiField.EMAIL: {"email", "emailaddress", "mail"},
    PiiField.PHONE: {"phone", "phonenumber", "mobile", "mobilephone"},
    PiiField.ADDRESS: {"address", "streetaddress", "postalcode", "zipcode"},
    PiiField.IP: {"ip", "clientip", "ipaddress", "remoteip", "xforwardedfor", "xrealip"},
    PiiField.USER_ID: {"userid", "identityuserid", "primaryuserid", "sub"},
}

#: Members of the entry that are never changed.
UNTOUCHED: Final = frozenset({"log_id", "_id", "date", "type"})


@lru_cache(maxsize=4096)
def normalized(key: str) -> str:
    """Returns the key in lower case without `_` and `-`."""
    return key.lower().replace("_", "").replace("-", "")
