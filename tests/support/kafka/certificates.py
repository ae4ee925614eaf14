"""A certificate authority of the test run's own, and PEM files in the forms that Kafka and our client read."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, KeySerializationEncryption, NoEncryption

from tests.support.process_guard import remove_at_end

KEY_PASSWORD: Final = "opens-the-key"


class Authority:
    """Writes everything it issues into `folder`."""

    def __init__(self, folder: Path, name: str = "ca", *, authority: trustme.CA | None = None) -> None:
        self._authority = authority or trustme.CA()
        self._folder = folder
        self.cafile = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.cafile))

    def __reduce__(self) -> tuple[object, ...]:
        """A copy in another process writes into a folder of its own: two clients there may have the same name."""
        return _copy, (self._authority.cert_pem.bytes(), self._authority.private_key_pem.bytes())

    def server(self, name: str, host: str, *, expired: bool = False) -> Path:
        """Key and chain in one file, as a broker's key store; valid for `host`."""
        ended = datetime.now(UTC) - timedelta(days=1)
        issued = self._authority.issue_cert(host, not_before=ended - timedelta(days=2), not_after=ended) if expired else None
        return self._write(f"{name}.pem", *_parts(issued or self._authority.issue_cert(host)))

    def client(self, name: str, *, password: str | None = None) -> tuple[Path, Path]:
        """Certificate and key of a client; Kafka's principal becomes `User:NAME`."""
        issued = self._authority.issue_cert(f"{name}@clients.test", common_name=name)
        key, chain = _parts(issued, password)
        return self._write(f"{name}.crt", chain), self._write(f"{name}.key", key)

    def _write(self, name: str, *parts: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(b"".join(parts))
        return path


def _copy(certificate: bytes, key: bytes) -> Authority:
    folder = Path(tempfile.mkdtemp(prefix="test-ca-"))
    remove_at_end(folder)
    return Authority(folder, authority=trustme.CA.from_pem(certificate, key))


def _parts(issued: trustme.LeafCert, password: str | None = None) -> tuple[bytes, bytes]:
    """Key and chain; the key as PKCS#8, the only form that Kafka reads (trustme writes another)."""
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    lock: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    rewritten = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return rewritten, b"".join(blob.bytes() for blob in issued.cert_chain_pems)
