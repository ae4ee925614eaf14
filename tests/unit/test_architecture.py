"""The house: imports form a star, and each foreign library comes in by one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "producer", "consumer", "simulator", "admin")
#: Library → the one file, or folder, that may import it.
DOORS: dict[str, str | tuple[str, ...]] = {
    "kafka": "shared/transport/kafka/",
    "crc32c": "shared/transport/kafka/",
    "sqlite3": "shared/transport/sqlite/file.py",
    "httpx": "producer/",
    "httptools": ("simulator/http.py", "consumer/http/"),
    "typer": "admin/cli/",
    "rich": "admin/cli/",
    "structlog": "shared/logging.py",
    "pydantic": "shared/settings/",
    "dotenv": "shared/settings/",
    "uvloop": "admin/supervisor.py",
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files() -> list[str]:
    return [str(path.relative_to(ROOT)) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _may_import(home: str, other: str) -> bool:
    match home:
        case "admin":
            return True
        case "shared":
            return other == "shared"
        case _:
            return other in (home, "shared")


@pytest.mark.parametrize("file", _files())
def test_imports_form_a_star(file: str) -> None:
    home = file.split("/")[0]
    for name in _imports(ROOT / file):
        package = name.split(".")[0]
        if package in PACKAGES:
            assert _may_import(home, package), f"{file} imports {name}"
        assert package != "tests", f"{file} imports {name}"


@pytest.mark.parametrize("file", [file for file in _files() if not file.startswith(("shared/transport/", "admin/compose.py"))])
def test_only_the_port_of_the_transport_is_known_outside(file: str) -> None:
    if file.startswith(("producer/", "consumer/", "simulator/", "shared/")):
        for name in _imports(ROOT / file):
            assert not name.startswith("shared.transport") or name.startswith("shared.transport.port"), f"{file} imports {name}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_comes_in_by_one_door(library: str) -> None:
    for file in _files():
        if library in {name.split(".")[0] for name in _imports(ROOT / file)}:
            assert file.startswith(DOORS[library]), f"{file} imports {library}"


_STARTS = ("subprocess", "asyncio", "os")
_STARTERS = ("Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell", "system")


def _starts_process(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="run")):
            return False
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
            return module in _STARTS and name in _STARTERS
    return False


def _is_guarded(node: ast.AST) -> bool:
    assert isinstance(node, ast.Call)
    environments = [keyword.value for keyword in node.keywords if keyword.arg == "env"]
    return [ast.unparse(value.func) for value in environments if isinstance(value, ast.Call)] == ["guarded"]


@pytest.mark.parametrize("folder", ["tests", "bench"])
def test_whatever_a_test_or_a_benchmark_starts_is_guarded(folder: str) -> None:
    """A process that outlived its test run was at work two hours later (`tests/support/process_guard.py`)."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != ROOT / "tests" / "support" / "process_guard.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if _starts_process(node) and not _is_guarded(node)
        if isinstance(node, ast.Call)
    ]
    assert found == []
