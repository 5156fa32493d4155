"""An HTTP server that receives alerts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson


@dataclass
class Receiver:
    """It keeps the JSON that comes to its path, and answers with this status."""

    path: str
    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def receiving(path: str) -> Iterator[Receiver]:
    receiver = Receiver(path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(receiver.status if self.path == path else 404)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output for the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        receiver.port = server.server_port
        yield receiver
        server.shutdown()
