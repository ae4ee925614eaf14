"""Words of the settings that other parts act on."""

from __future__ import annotations

from enum import StrEnum


class Ordering(StrEnum):
    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


class BatchForm(StrEnum):
    #: A JSON array.
    ARRAY = "true"
    #: JSON lines: an event a line. Line breaks inside an entry become spaces, which JSON allows.
    LINES = "lines"
