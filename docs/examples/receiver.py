"""A receiver for auth0-webhooks: accepts only signed calls, and handles each event once.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_... python receiver.py

WEBHOOK_SECRET_PREVIOUS, if set, is accepted too; PORT (8080) is where it listens; SEEN (seen.db) is the file of handled events.
"""

from __future__ import annotations

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRETS = [os.environ["WEBHOOK_SECRET"], os.environ.get("WEBHOOK_SECRET_PREVIOUS", "")]
WEBHOOKS = [Webhook(secret) for secret in SECRETS if secret]
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
    for webhook in WEBHOOKS:
        try:
            webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            continue
        return True
    return False


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
        if not genuine(dict(self.headers), body):
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
