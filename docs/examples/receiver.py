"""A receiver for auth0-webhooks: believes only what is signed, and handles each event once.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_... python receiver.py

WEBHOOK_SECRET_PREVIOUS, if set, is accepted too; PORT (8080) is where it listens; SEEN (seen.db) is the file of what is done.
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
MOST_BYTES = 16 * 1024 * 1024

DONE = sqlite3.connect(os.environ.get("SEEN", "seen.db"), check_same_thread=False)
DONE.execute("CREATE TABLE IF NOT EXISTS done (log_id TEXT PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)")
# As long as an event can come again: the retention of the log in between.
DONE.execute("DELETE FROM done WHERE at < datetime('now', '-14 days')")
DONE.commit()
ONE_AT_A_TIME = Lock()


def handle(event: dict[str, Any]) -> None:
    """Your work. What it writes through DONE is kept or undone together with the mark that the event is done."""
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
        with ONE_AT_A_TIME, DONE:  # commits at the end, rolls back if `handle` raises
            if DONE.execute("INSERT OR IGNORE INTO done (log_id) VALUES (?)", [log_id]).rowcount:
                handle(event)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    timeout = 60  # seconds; longer than the 30 after which the sender closes a quiet one

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not genuine(dict(self.headers), body):
            return self.answer(401)
        try:
            take(body)
        except Exception as error:  # whatever it is: the event comes again
            self.log_error("not handled: %r", error)
            return self.answer(500)
        return self.answer(200)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
