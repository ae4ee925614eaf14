"""The manifest, and that Python and JavaScript read a specifier alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.modules.installed import wanted_version
from rules.modules.manifest import Module, known_modules, parse
from tests.support.process_guard import guarded

_MODULES_JS = Path(__file__).parents[3] / "rules" / "js" / "modules.js"
_PARTS = (
    "@",
    "/",
    ".",
    "..",
    "a",
    "lodash",
    "@scope/",
    "1.2.3",
    "node:",
    "file:",
    "C:",
    "\\",
    " ",
    "\n",
    "\0",
    "é",
    "\u2028",
    "\x1c",
)
_SPECIFIERS = st.lists(st.sampled_from(_PARTS)).map("".join) | st.text()


def test_every_global_name_stands_for_a_module_that_comes_along() -> None:
    manifest = known_modules()
    builtin = {"crypto", "querystring"}
    modules = [parse(specifier) for name, specifier in manifest.globals.items() if name not in builtin]
    assert all(module and manifest.version(module) for module in modules)


def test_names_and_pins_stand_once_and_are_exact() -> None:
    manifest = known_modules()
    assert list(manifest.modules) == sorted(manifest.modules)
    for name, known in manifest.modules.items():
        assert parse(name) == Module(name)
        assert known.why
        for version in (*filter(None, [known.version]), *known.pins):
            assert parse(f"{name}@{version}") == Module(name, version)
            assert len(version.split(".")) == 3
            assert version.replace(".", "").isdigit()


def test_a_pin_of_the_default_version_has_no_place_of_its_own() -> None:
    assert wanted_version(Module("lodash", "4.17.21"), known_modules()) == (Module("lodash"), "4.17.21")
    assert wanted_version(Module("lodash", "4.17.19"), known_modules()) == (Module("lodash", "4.17.19"), "4.17.19")
    assert wanted_version(Module("lodash", "4.0.0"), known_modules()) is None


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
@settings(max_examples=10, deadline=None)
@given(st.lists(_SPECIFIERS, min_size=100, max_size=200))
def test_python_and_javascript_read_a_specifier_alike(specifiers: list[str]) -> None:
    texts = [text for text in specifiers if not any(0xD800 <= ord(character) < 0xE000 for character in text)]
    code = f"const {{ parse }} = require({json.dumps(str(_MODULES_JS))});"
    code += "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(parse)))"
    result = subprocess.run(
        ["node", "-e", code], input=json.dumps(texts).encode(), env=guarded(), capture_output=True, check=True, timeout=60
    )
    theirs = [found and Module(found["name"], found["version"]) for found in json.loads(result.stdout)]
    assert theirs == [parse(text) for text in texts]
