"""A registry for npm on loopback, with packages made in the test: npm is the real one, quick and without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


def tarball(name: str, version: str, **more: Any) -> bytes:
    """A package whose module is the text `name version`."""
    package = {"name": name, "version": version, "main": "index.js", **more}
    files = {"package/package.json": json.dumps(package), "package/index.js": f"module.exports = '{name} {version}';\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@dataclass(slots=True)
class NpmRegistry:
    """`tarballs` are asked for while `open`; a request waits otherwise, as at a registry that hangs."""

    port: int = 0
    #: (name, version) → (what `package.json` says besides, tarball).
    packages: dict[tuple[str, str], tuple[Mapping[str, Any], bytes]] = field(default_factory=dict)
    #: Paths, in the order in which they were asked for.
    requests: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    open: threading.Event = field(default_factory=threading.Event)
    asked_for_tarball: threading.Event = field(default_factory=threading.Event)
    #: What is sent instead of a tarball.
    forged: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def tarballs(self) -> list[str]:
        return [path for path in self.requests if path.endswith(".tgz")]

    def add(self, name: str, version: str, **more: Any) -> None:
        self.packages[name, version] = (more, tarball(name, version, **more))

    def environ(self, home: Path) -> dict[str, str]:
        """What npm needs to ask here, and nothing of the machine's own settings."""
        home.mkdir(exist_ok=True)
        return {"npm_config_registry": self.url, "HOME": str(home), "npm_config_userconfig": str(home / ".npmrc")}

    def answer(self, path: str) -> tuple[int, bytes]:
        if path.endswith(".tgz"):
            name, _, file = path.strip("/").partition("/-/")
            self.asked_for_tarball.set()
            self.open.wait(30)
            found = self.packages.get((name, file.removesuffix(".tgz")))
            return (200, self.forged or found[1]) if found else (404, b"{}")
        versions = {version: found for (name, version), found in self.packages.items() if name == path.strip("/")}
        return (200, json.dumps(self._packument(path.strip("/"), versions)).encode()) if versions else (404, b"{}")

    def _packument(self, name: str, versions: Mapping[str, tuple[Mapping[str, Any], bytes]]) -> dict[str, Any]:
        documents = {}
        for version, (more, content) in versions.items():
            integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
            dist = {"tarball": f"{self.url}{name}/-/{version}.tgz", "integrity": integrity}
            documents[version] = {"name": name, "version": version, **more, "dist": dist}
        return {"name": name, "dist-tags": {"latest": max(versions)}, "versions": documents}


@contextmanager
def npm_registry() -> Iterator[NpmRegistry]:
    registry = NpmRegistry()
    registry.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            registry.requests.append(path)
            registry.authorizations.add(self.headers.get("authorization", ""))
            status, body = registry.answer(path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.open.set()
        server.shutdown()
        server.server_close()
        thread.join()
