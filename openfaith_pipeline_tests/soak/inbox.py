"""Where the alerts arrive: a Slack-compatible webhook that keeps every message."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from openfaith_pipeline_tests.soak.clock import Clock


@dataclass
class Inbox:
    """messages: when each arrived, and its text."""

    port: int = 0
    messages: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts"


@contextmanager
def running_inbox(clock: Clock) -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.messages.append((clock.now(), str(json.loads(body)["text"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the report for the report."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield inbox
        server.shutdown()
