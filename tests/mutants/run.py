"""The mutation gate: each patch here is a bug; the tests named in its first line have to find it.

`python -m tests.mutants.run [NAME…]`. It works on a copy of the tree. Exit codes: 0 all were killed, 1 one survived, 2 the gate
is broken: a patch does not apply any more, or the tests fail without it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from tests.support.process_guard import guarded

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
_TESTS: Final = "# killed by: "
_PARTS: Final = ("admin", "consumer", "docs", "producer", "rules", "shared", "simulator", "tests", "pyproject.toml")
_LIMIT: Final = 240  # seconds for one selection: a mutant may hang


class GateBroken(Exception):
    """A patch does not apply, or the tests fail without it."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(names: Collection[str]) -> int:
    patches = [path for path in sorted(HERE.glob("*.patch")) if not names or path.stem in names]
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            tree = _copy(Path(folder) / "tree")
            _must_pass(tree, patches)
            survived = [patch.stem for patch in patches if not _is_killed(tree, patch)]
    except GateBroken as problem:
        say(f"the gate is broken: {problem}")
        return 2
    say(f"{len(patches)} mutants, {len(survived)} survived, {time.monotonic() - began:.0f} s")
    return 1 if survived else 0


def _copy(tree: Path) -> Path:
    tree.mkdir()
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, tree / part)
    return tree


def _must_pass(tree: Path, patches: Sequence[Path]) -> None:
    """Runs every selection without a patch; a selection with -k runs on its own. Raises GateBroken."""
    selections = [_selection(patch) for patch in patches]
    plain = dict.fromkeys(word for words in selections if "-k" not in words for word in words)
    marked = {tuple(words): None for words in selections if "-k" in words}
    for words in [list(plain), *map(list, marked)]:
        began = time.monotonic()
        code, output = _pytest(tree, words) if words else (0, "")
        if code != 0:
            raise GateBroken(f"without a patch, {shlex.join(words)} fails\n{output[-3000:]}")
        say(f"passes without a patch: {shlex.join(words)} ({time.monotonic() - began:.0f} s)")


def _is_killed(tree: Path, patch: Path) -> bool:
    began = time.monotonic()
    _apply(tree, patch)
    try:
        code, output = _pytest(tree, _selection(patch))
    finally:
        _apply(tree, patch, "--reverse")
    killers = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    if code == 0:
        say(f"SURVIVED {patch.stem}")
    elif code == 1 and killers:
        say(f"killed   {patch.stem} by {killers[0]} ({time.monotonic() - began:.0f} s)")
    else:
        raise GateBroken(f"{patch.stem}: pytest ended with {code} and named no test\n{output[-3000:]}")
    return code == 1


def _apply(tree: Path, patch: Path, *options: str) -> None:
    done = subprocess.run(
        ["git", "apply", *options, str(patch)],
        cwd=tree,
        env=guarded({**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GateBroken(f"{patch.name} does not apply: {done.stderr.strip()}")


def _selection(patch: Path) -> list[str]:
    first = patch.read_text().split("\n", 1)[0]
    if not first.startswith(_TESTS):
        raise GateBroken(f"the first line of {patch.name} does not say which tests kill it")
    return shlex.split(first.removeprefix(_TESTS))


def _pytest(tree: Path, words: Sequence[str]) -> tuple[int, str]:
    """Returns exit code and output. No bytecode is kept: two mutants of a file may have the same size and second."""
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", *words],
            cwd=tree,
            env=guarded({**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_PROFILE": "mutants"}),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GateBroken(f"{shlex.join(words)} takes longer than {_LIMIT} s") from None
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
