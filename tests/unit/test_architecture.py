"""The house: imports form a star without circles, each foreign library comes in by one door, each name means one thing."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("shared", "producer", "consumer", "rules", "simulator", "admin")
TREE = (*PRODUCT, "tools", "tests", "bench")
ADAPTERS = ("shared.transport.kafka", "shared.transport.sqlite")
#: Library → the files or folders that may import it.
DOORS: dict[str, tuple[str, ...]] = {
    "kafka": ("shared/transport/kafka/",),
    "crc32c": ("shared/transport/kafka/",),
    "sqlite3": ("shared/transport/sqlite/file.py",),
    "prometheus_client": ("admin/metrics.py",),
    "httpx": ("producer/auth0/",),
    "httptools": ("consumer/http/", "simulator/http.py"),
    "typer": ("admin/cli/",),
    "rich": ("admin/cli/",),
    "structlog": ("shared/logging.py",),
    "pydantic": ("shared/settings/", "shared/documents/"),
    "pydantic_core": ("shared/settings/",),
    "pydantic_settings": ("shared/settings/",),
    "dotenv": ("shared/settings/", "rules/loading/configuration.py"),
    "yaml": ("rules/loading/yaml_file.py",),
    "tree_sitter": ("rules/loading/kind.py", "rules/loading/syntax.py", "rules/analysis/", "rules/analysis/needs.py"),
    "tree_sitter_javascript": ("rules/loading/syntax.py",),
    "uvloop": ("admin/supervisor.py",),
}


def _files(*folders: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


@cache
def _imports(file: str) -> frozenset[str]:
    """Every module and every name that it imports, also inside functions and for type checkers only."""
    names: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"{'.' * node.level}{node.module or ''}"
            names.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
    return frozenset(names)


def _importing(files: list[str], *modules: str) -> list[str]:
    """Those of the files that import one of these modules, or from one of them, and what."""
    return [
        f"{file} imports {name}"
        for file in files
        for name in sorted(_imports(file))
        if any(name == module or name.startswith(f"{module}.") for module in modules)
    ]


def test_nothing_is_imported_relatively() -> None:
    assert _importing(_files(*TREE), "") == []


@pytest.mark.parametrize("package", [package for package in PRODUCT if package != "admin"])
def test_imports_form_a_star_shared_in_its_middle_and_admin_around_it(package: str) -> None:
    others = set(PRODUCT) - {package, "shared"}
    assert _importing(_files(package), *others) == []


def test_the_product_runs_without_tests_and_benchmarks() -> None:
    assert _importing(_files(*PRODUCT), "tests", "bench") == []


def test_what_installs_needs_nothing_installed() -> None:
    used = {name.partition(".")[0] for file in _files("tools") for name in _imports(file)}
    assert used - sys.stdlib_module_names == set()


def test_the_product_has_no_module_that_only_tests_use() -> None:
    used = frozenset[str]().union(*map(_imports, _files(*PRODUCT)))
    modules = {file.removesuffix(".py").replace("/", ".") for file in _files(*PRODUCT) if not file.endswith("__init__.py")}
    assert modules - used == {"admin.cli.main"}  # the entry point


def test_benchmarks_use_of_the_tests_only_what_supports_them() -> None:
    assert [line for line in _importing(_files("bench"), "tests") if " tests.support" not in line] == []


def test_outside_of_the_transport_only_its_port_is_known() -> None:
    inside = tuple(f"{adapter.replace('.', '/')}/" for adapter in ADAPTERS)
    files = [file for file in _files("shared", "producer", "consumer", "rules", "simulator") if not file.startswith(inside)]
    assert _importing(files, *ADAPTERS) == []


def test_admin_reaches_adapters_by_actions_and_compose_alone() -> None:
    files = [file for file in _files("admin") if not file.startswith(("admin/actions/", "admin/compose_transport.py"))]
    assert _importing(files, *ADAPTERS) == []


def test_an_adapter_knows_nothing_of_the_other() -> None:
    assert _importing(_files("shared/transport/kafka"), "shared.transport.sqlite") == []
    assert _importing(_files("shared/transport/sqlite"), "shared.transport.kafka") == []


def test_only_the_command_line_imports_the_command_line() -> None:
    assert _importing([file for file in _files(*PRODUCT) if not file.startswith("admin/cli/")], "admin.cli") == []


@pytest.mark.parametrize("library", DOORS)
def test_a_library_comes_in_by_one_door(library: str) -> None:
    assert _importing([file for file in _files(*PRODUCT) if not file.startswith(DOORS[library])], library) == []


def test_document_formats_are_defined_in_shared_documents() -> None:
    """What reads or writes JSON elsewhere reads Auth0's responses, or a column of SQLite's own file."""
    files = _files("producer", "consumer", "shared/transport", "admin/actions")
    elsewhere = ("producer/auth0/", "shared/transport/sqlite/")
    assert _importing([file for file in files if not file.startswith(elsewhere)], "json") == []


def test_outcomes_are_told_to_observers_and_logged_there_alone() -> None:
    core = ["producer/poller.py", "producer/cursor.py", "producer/selection.py", "consumer/dispatcher.py"]
    assert _importing([*core, *_files("consumer/partitions", "consumer/scheduling")], "shared.logging") == []


def test_imports_go_in_no_circle() -> None:
    modules = {file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in _files(*TREE)}
    imported = {module: _imports(file) & modules.keys() - {module} for module, file in modules.items()}
    # What imports none of the others, or is imported by none of them, is part of no circle.
    while ends := {module for module in imported if not imported[module]} | (imported.keys() - set().union(*imported.values())):
        imported = {module: others - ends for module, others in imported.items() if module not in ends}
    assert imported == {}


def test_a_class_name_means_one_thing() -> None:
    where: dict[str, list[str]] = {}
    for file in _files(*TREE):
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(f"{file}:{node.lineno}")
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


_STARTS = ("subprocess", "asyncio", "os")
_STARTERS = ("Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell", "system")


def _starts_process(node: ast.Call) -> bool:
    match node.func:
        case ast.Attribute(value=ast.Name(id="asyncio"), attr="run"):
            return False
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module in _STARTS and name in _STARTERS
    return False


def _is_guarded(node: ast.Call) -> bool:
    environments = [keyword.value for keyword in node.keywords if keyword.arg == "env"]
    return [ast.unparse(value.func) for value in environments if isinstance(value, ast.Call)] == ["guarded"]


def test_every_process_that_a_test_or_a_benchmark_starts_is_guarded() -> None:
    """A process that outlived its test run was at work two hours later (`tests/support/process_guard.py`)."""
    unguarded = [
        f"{file}:{node.lineno}"
        for file in _files("tests", "bench")
        if file != "tests/support/process_guard.py"
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Call) and _starts_process(node) and not _is_guarded(node)
    ]
    assert unguarded == []
