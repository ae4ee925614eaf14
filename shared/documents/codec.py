"""A small document as JSON with a version. What it may hold stands once: in the types of its dataclass.

A document of the same version may have fields that we do not know: they are ignored. Another version, a missing field, another
type, a number that is no moment: refused, for what cannot be read must not be misread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from shared.errors import DocumentNewer, RecordInvalid

#: Seconds since the epoch, up to the year 9999: it can be shown as a date.
Moment = Annotated[float, Field(ge=0, lt=253402300800, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

#: Characters of a text; what is longer is cut when it is written.
LONGEST: Final = 1000

T = TypeVar("T")


class Codec(Generic[T]):
    """`document`: a frozen dataclass of values; `name`: for errors; `version`: the one that we write and read."""

    def __init__(self, document: type[T], *, name: str, version: int) -> None:
        self._type: TypeAdapter[T] = TypeAdapter(document)
        self._name = name
        self._version = version

    def encode(self, document: T) -> bytes:
        fields = asdict(document, dict_factory=_cut)  # type: ignore[call-overload]
        # "replace": half an emoji, or bytes of a command line that are no UTF-8. Readers refuse those.
        return json.dumps({"v": self._version, **fields}, ensure_ascii=False).encode("utf-8", "replace")

    def decode(self, text: bytes) -> T:
        """Raises `RecordInvalid`, which says why; `DocumentNewer` for a newer version."""
        version = _version(text)
        if isinstance(version, int) and version > self._version:
            raise DocumentNewer(f"its version is {version}, this release knows {self._version}: upgrade auth0-webhooks")
        try:
            if version != self._version:
                raise ValueError("version")
            return self._type.validate_json(text, strict=True)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
            raise RecordInvalid(f"it is no {self._name} of ours or is damaged ({where or 'no JSON'})") from None
        except ValueError:
            raise RecordInvalid(f"it is no {self._name} of ours or is damaged (v)") from None

    def under(self, prefix: str, documents: Mapping[str, bytes], unreadable: dict[str, str]) -> Iterator[tuple[str, T]]:
        """Yields what stands under this prefix, by key. `unreadable` gets the reason, by key, for what cannot be read."""
        for key, text in documents.items():
            if key.startswith(prefix):
                try:
                    yield key, self.decode(text)
                except RecordInvalid as error:
                    unreadable[key] = str(error)


def _version(text: bytes) -> object:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    version = fields.get("v") if isinstance(fields, dict) else None
    return None if isinstance(version, bool) else version


def _cut(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value[:LONGEST] if isinstance(value, str) else value for name, value in fields}
