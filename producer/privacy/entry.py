"""Hides personal data in a log entry. Pure: bytes in, bytes out; the same entry always gives the same bytes.

The entry is not encoded again: the strings that change are replaced in place, and everything else keeps its bytes (numbers,
spaces, doubled keys). First the values under the keys of `fields.KEYS` are collected; then they are hidden there and wherever
they are repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Final, NamedTuple

from producer.privacy.fields import KEYS, UNTOUCHED, normalized
from producer.privacy.methods import hashing, mask
from producer.privacy.repeats import Hidden
from shared.event import Event
from shared.json_tokens import KEY, TOKEN, VALUE, decoded, encoded
from shared.words import PiiField, PiiMode

#: What Auth0 makes the user id of who logs in without a password: the address or number itself.
_PASSWORDLESS: Final = {
    PiiField.EMAIL: re.compile(r".*\|(.*@.*)", re.DOTALL),
    PiiField.PHONE: re.compile(r"sms\|(.+)", re.DOTALL),
}


#: Keys whose values may be a field's though the key is none of it.
_LOOKED_AT: Final = KEYS[PiiField.USER_ID] | KEYS[PiiField.USERNAME]
_MOST_KNOWN: Final = 4096


class Text(NamedTuple):
    """A string or number of the entry, and where it stands."""

    start: int
    end: int
    text: str
    is_key: bool
    #: The key that it stands under, normalized.
    key: str
    #: The chosen field whose key it stands under, at any depth.
    field: PiiField | None


class Privacy:
    """Hides `fields` in events. `mode` is not `keep`; `key`: for the hashes, in both modes."""

    def __init__(self, *, mode: PiiMode, fields: Set[PiiField], key: bytes) -> None:
        self._mode = mode
        self._fields = fields
        self._hash = hashing(key)
        self._hide = self._hash if mode is PiiMode.HASH else mask
        #: By the token of a key. Auth0 has few; a customer's own may be without end.
        self._known: dict[str, tuple[str, str, PiiField | None]] = {}
        self._by_key = {key: field for field in PiiField if field in fields for key in KEYS[field]}

    def apply(self, event: Event) -> Event:
        """Returns the event as it may leave the producer: body, user id (the record's key), tenant and header `pii`."""
        raw = event.raw.decode("utf-8", "surrogateescape")
        texts = self._texts(raw, every=False)
        hidden = self._hidden(texts)
        repeated = False
        # Asked once for all the rest: an entry that repeats nothing is the rule. Where something is escaped, each is looked at.
        rest = _between(raw, texts)
        if "\\" in rest or hidden.stands_in(rest):
            texts = self._texts(raw, every=True)
            repeated = hidden.stands_in("\n".join(one.text for one in texts if not one.field))
        pieces: list[str] = []
        end = 0
        for one in texts:
            if one.field:
                changed = hidden.under_key(one.text)
            elif repeated:
                changed = hidden.within(one.text, is_key=one.is_key)
            else:
                continue
            if changed != one.text:
                pieces += raw[end : one.start], encoded(changed)
                end = one.end
        user_id = hidden.under_key(event.user_id) if hidden.holds(event.user_id) else event.user_id
        return replace(
            event,
            raw="".join([*pieces, raw[end:]]).encode("utf-8", "surrogateescape"),
            user_id=user_id,
            tenant=hidden.within(event.tenant),
            pii=self._mode if user_id == event.user_id else f"{self._mode}; user_id=hashed",
        )

    def _texts(self, raw: str, *, every: bool) -> list[Text]:
        """Returns what stands under a key of a chosen field, numbers too, and user ids; `every`: also every other string.

        Not what is never changed.
        """
        texts: list[Text] = []
        key, field = "", None  # of what stands at this place
        untouched = False
        around: list[tuple[str, PiiField | None]] = []  # the same of every bracket that is open
        for token in TOKEN.finditer(raw):
            name, value, bracket = token.groups()
            if name:
                text, key, own = self._known.get(name) or self._learned(name)
                field = own or around[-1][1]
                if len(around) == 1:
                    untouched = text in UNTOUCHED
                elif every and not untouched:
                    texts.append(Text(*token.span(KEY), text, is_key=True, key="", field=None))
            if value:
                is_text = value[0] == '"'
                if not untouched and (field or key in _LOOKED_AT or (every and is_text)):
                    text = decoded(value)
                    place = field or self._field_by_value(key, text)
                    if place or (every and is_text) or key in KEYS[PiiField.USER_ID]:
                        texts.append(Text(*token.span(VALUE), text, is_key=False, key=key, field=place))
            elif bracket:
                if bracket in "{[":
                    around.append((key, field))
                else:
                    key, field = around.pop()
        return texts

    def _learned(self, token: str) -> tuple[str, str, PiiField | None]:
        """Returns what a key says, the same normalized, and its field if that is a chosen one."""
        text = decoded(token)
        key = normalized(text)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = self._known[token] = text, key, self._by_key.get(key)
        return known

    def _field_by_value(self, key: str, text: str) -> PiiField | None:
        """A user name that is an address counts as one."""
        is_address = "@" in text and key in KEYS[PiiField.USERNAME]
        return PiiField.EMAIL if is_address and PiiField.EMAIL in self._fields else None

    def _hidden(self, texts: Sequence[Text]) -> Hidden:
        values = {one.text: self._hide for one in texts if one.field and one.field is not PiiField.USER_ID and one.text}
        hidden = Hidden(values, otherwise=self._hide, emails=PiiField.EMAIL in self._fields)
        self._hide_user_ids([one for one in texts if not one.is_key and one.key in KEYS[PiiField.USER_ID] and one.text], hidden)
        return hidden

    def _hide_user_ids(self, user_ids: Sequence[Text], hidden: Hidden) -> None:
        """Always as a hash of the whole: masked, different people would share a queue."""
        forms = [form for field, form in _PASSWORDLESS.items() if field in self._fields]
        for part in [match[1] for one in user_ids for form in forms if (match := form.fullmatch(one.text))]:
            hidden.add(part, self._hide)
        for told in [one.text for one in user_ids if one.field or hidden.stands_in(one.text)]:
            hidden.add(told, self._hash)


def _between(raw: str, texts: Sequence[Text]) -> str:
    """Returns the entry without what stands under a key of a chosen field."""
    pieces, end = [], 0
    for one in texts:
        if one.field:
            pieces.append(raw[end : one.start])
            end = one.end
    return "".join([*pieces, raw[end:]])
