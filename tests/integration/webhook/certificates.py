"""TLS contexts for servers and clients, right and wrong ones."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta

import trustme


class Certificates:
    """A certificate authority that the clients trust, and one that they do not."""

    def __init__(self) -> None:
        self._trusted, self._foreign = trustme.CA(), trustme.CA()
        # Made once: loading the machine's own authorities takes longer than most tests here.
        self.usual_server, self.usual_client = self.server(), self.client()

    def server(self, *, host: str = "127.0.0.1", expired: bool = False, foreign: bool = False) -> ssl.SSLContext:
        authority = self._foreign if foreign else self._trusted
        end = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host, not_before=end - timedelta(days=2), not_after=end).configure_cert(context)
        return context

    def self_signed_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with self._foreign.private_key_pem.tempfile() as key, self._foreign.cert_pem.tempfile() as certificate:
            context.load_cert_chain(certificate, key)
        return context

    def old_server(self) -> ssl.SSLContext:
        """Nothing newer than TLS 1.1."""
        context = self.server()
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    def strict_server(self) -> ssl.SSLContext:
        """Requires a client certificate."""
        context = self.server()
        self._trusted.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, *, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._trusted.configure_trust(context)
        if certificate:
            self._trusted.issue_cert("consumer@clients.test").configure_cert(context)
        return context
