"""A receiver for auth0-webhooks that needs Python and nothing else: accepts only signed calls, handles each event once.

    WEBHOOK_SECRET=whsec_... python receiver_stdlib.py

WEBHOOK_SECRET_PREVIOUS, if set, is accepted too; PORT (8080) is where it listens; SEEN (seen.db) is the file of handled events.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

SECRETS = [os.environ["WEBHOOK_SECRET"], os.environ.get("WEBHOOK_SECRET_PREVIOUS", "")]
KEYS = [base64.b64decode(secret.removeprefix("whsec_"), validate=True) for secret in SECRETS if secret]
TOLERANCE = 300  # seconds between the sender's clock and ours
MAX_BYTES = 16 * 1024 * 1024

DONE = sqlite3.connect(os.environ.get("SEEN", "seen.db"), check_same_thread=False)
DONE.execute("CREATE TABLE IF NOT EXISTS done (log_id TEXT PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)")
# For as long as an event can be sent again: the retention of the sender's log.
DONE.execute("DELETE FROM done WHERE at < datetime('now', '-14 days')")
DONE.commit()
LOCK = Lock()


def handle(event: dict[str, Any]) -> None:
    """Your work. What it writes through DONE is committed or rolled back together with the mark that the event is done."""
    print("handled", event.get("log_id"), event.get("type"), flush=True)


def genuine(headers: dict[str, str], body: bytes) -> bool:
    """Signed by one of our secrets, and not older than five minutes."""
    log_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{log_id}.{timestamp}.".encode("latin-1") + body
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in KEYS]
    given = headers.get("webhook-signature", "").encode("latin-1").split()  # several while the sender rotates its secret
    return any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given)


def take(body: bytes) -> None:
    """One event, or the array of them that SEND_AS_BATCH=true sends."""
    content = json.loads(body)
    for event in content if isinstance(content, list) else [content]:
        log_id = event.get("log_id") or event["_id"]
        with LOCK, DONE:  # commits at the end, rolls back if `handle` raises
            if DONE.execute("INSERT OR IGNORE INTO done (log_id) VALUES (?)", [log_id]).rowcount:
                handle(event)


class WebhookHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    timeout = 60  # seconds; longer than the 30 after which the sender closes an idle one

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self.close_connection = True
            return self.respond(413)
        body = self.rfile.read(int(length))
        if not genuine({name.lower(): value for name, value in self.headers.items()}, body):
            return self.respond(401)
        try:
            take(body)
        except Exception as error:  # the event will be sent again
            self.log_error("not handled: %r", error)
            return self.respond(500)
        return self.respond(200)

    def respond(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), WebhookHandler)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
