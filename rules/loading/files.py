"""The files of the rules' folder, read and told apart: rules, and what a person has to look at.

Only files directly in the folder count. Hidden ones, tests beside a rule (`NAME.test.js`) and every other suffix are left alone.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rules.loading.kind import kind_of
from rules.rule import Rule, RuleKind
from shared.errors import ConfigurationError

#: Bytes of a rule. Auth0 takes 100 kB.
LARGEST: Final = 1_000_000
_OTHER_LANGUAGES: Final = {
    ".ts": "is TypeScript; compile it to JavaScript first",
    ".tsx": "is TypeScript; compile it to JavaScript first",
    ".mjs": "is an ES module; a rule is a `.js` file that holds one function, without `import` and `export`",
    ".cjs": "is a CommonJS module; a rule is a `.js` file that holds one function",
}


class FileUnusable(Exception):
    """A file cannot be used; the message is a whole line, with the file and where there is one its line."""

    def __init__(self, problem: str, kind: RuleKind = RuleKind.OTHER) -> None:
        super().__init__(problem)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFile:
    """A file that was meant as a rule and is none."""

    #: The file's name without its suffix.
    name: str
    path: Path
    #: A whole line: file, line, what is wrong and what to do.
    problem: str
    kind: RuleKind = RuleKind.OTHER


def read_folder(folder: Path) -> tuple[Sequence[Rule], Sequence[RejectedFile]]:
    """Returns the rules of a folder by the order of their names, and the files that were meant as rules and are none.

    Raises `ConfigurationError` for a folder that cannot be read or holds neither.
    """
    rules: list[Rule] = []
    broken: list[RejectedFile] = []
    for path in candidates(folder):
        try:
            rules.append(read_rule(path))
        except FileUnusable as error:
            broken.append(RejectedFile(name=path.stem, path=path, problem=str(error), kind=error.kind))
    if not rules and not broken:
        raise ConfigurationError([f"{folder}: holds no rule; a rule is a file NAME.js with `function (user, context, callback)`"])
    return rules, broken


def read_rule(path: Path) -> Rule:
    """Returns the rule of a file. Raises `FileUnusable`."""
    if problem := _OTHER_LANGUAGES.get(path.suffix.lower()):
        raise FileUnusable(f"{path}: {problem}")
    if path.suffix != ".js" or not path.stem.isprintable():
        raise FileUnusable(f"{path}: a rule is a file whose name ends with `.js`; rename it")
    source = read_text(path, LARGEST, "a rule")
    kind, line, problem = kind_of(source)
    if problem:
        raise FileUnusable(f"{path}:{line}: {problem}", kind)
    return Rule(name=path.stem, path=path, source=source, kind=kind)


def read_text(path: Path, most: int, what: str, *, pipe: bool = False) -> str:
    """Returns the text of a file of at most so many bytes, without a byte order mark. Raises `FileUnusable`.

    `pipe`: it may be one, as `<(command)` of a shell is.
    """
    try:
        content = _read(path, most, pipe=pipe)
    except FileNotFoundError:
        raise FileUnusable(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FileUnusable(f"{path}: cannot be read ({why}); make it a file that this process may read") from None
    return decoded(content, path, most, what)


def decoded(content: bytes, path: Path, most: int, what: str) -> str:
    """Returns the text of what was read of a file. Raises `FileUnusable`."""
    if len(content) > most:
        raise FileUnusable(f"{path}: is larger than {most:,} bytes, which {what} cannot be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise FileUnusable(f"{path}:{line}: is not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8") from None


def _read(path: Path, most: int, *, pipe: bool) -> bytes:
    mode = path.stat().st_mode
    # One that lies in a folder would be waited for without an end.
    if not stat.S_ISREG(mode) and not (pipe and stat.S_ISFIFO(mode)):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        return file.read(most + 1)


def candidates(folder: Path) -> Iterator[Path]:
    """Returns the files that are meant as rules, by the order of their names. Raises `ConfigurationError`."""
    try:
        paths = sorted(folder.iterdir())
    except NotADirectoryError:
        raise ConfigurationError([f"{folder}: is no folder; name the folder that holds the rules"]) from None
    except FileNotFoundError:
        raise ConfigurationError([f"{folder}: there is no such folder; name the folder that holds the rules"]) from None
    except OSError as error:
        raise ConfigurationError([f"{folder}: cannot be read ({error.strerror}); change its owner or its mode"]) from None
    names = {path.name for path in paths}
    return (path for path in paths if _is_meant_as_rule(path, names))


def _is_meant_as_rule(path: Path, names: Collection[str]) -> bool:
    name, suffix = path.name.lower(), path.suffix.lower()
    if name.startswith(".") or name.endswith((".test.js", ".spec.js", ".d.ts")) or path.is_dir():
        return False
    # A source beside what was compiled from it is no rule of its own.
    return suffix == ".js" or (suffix in _OTHER_LANGUAGES and f"{path.stem}.js" not in names)
