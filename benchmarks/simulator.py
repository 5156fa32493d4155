"""How many pages a second the simulator serves, so that it is never what another benchmark measures.

    python -m benchmarks.simulator [--people 10000] [--seconds 5] [--connections 4]

Starts a simulator in a process of its own and reads listings from this one as fast as it can, over kept-alive
connections. Prints JSON: pages, megabytes and the simulator's own CPU seconds, hence pages per second of one core.
"""

import argparse
import base64
import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
import psutil

from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator

_LENGTH = re.compile(rb"Content-Length: (\d+)")
_LISTINGS = {
    "by_offset": "/people/v2/people?per_page=100&offset={offset}",
    "by_updated_at": "/people/v2/people?order=updated_at&per_page=100&where[updated_at][gte]={moment}",
    "as_synced": "/people/v2/people?include=inactive_reason,marital_status,name_prefix,name_suffix,school"
    "&order=updated_at&per_page=100&where[updated_at][gte]={moment}",
    "with_includes": "/people/v2/people?include=emails,phone_numbers&offset={offset}&per_page=100",
    "one_row": "/people/v2/people?per_page=1",
}


@dataclass
class _Connection:
    """One kept-alive connection with one request under way."""

    socket: socket.socket
    expected: int = 0
    received: int = 0
    head: bytearray = field(default_factory=bytearray)

    def ask(self, target: str, authorization: str) -> None:
        self.expected = self.received = 0
        self.head.clear()
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\nUser-Agent: benchmark\r\nAuthorization: {authorization}\r\n\r\n"
        self.socket.sendall(request.encode())

    def read(self, buffer: bytearray) -> bool:
        """Take what has arrived; True when the response is whole."""
        count = self.socket.recv_into(buffer)
        self.received += count
        if not self.expected:
            self.head += buffer[:count]
            end = self.head.find(b"\r\n\r\n")
            if end >= 0:
                length = _LENGTH.search(self.head)
                if not self.head.startswith(b"HTTP/1.1 200") or length is None:
                    raise SystemExit(f"unexpected answer: {bytes(self.head[:200])!r}")
                self.expected = end + 4 + int(length.group(1))
        return bool(self.expected) and self.received >= self.expected


def measure(
    client: SimulatorClient, pattern: str, *, people: int, seconds: float, connections: int
) -> dict[str, float]:
    """Read one listing over and over; pages_per_core_second counts the simulator's CPU time only."""
    address = urlsplit(client.url)
    org = client.churches()[0]["org_id"]
    authorization = "Basic " + base64.b64encode(":".join(client.credentials(org)).encode()).decode()
    server = psutil.Process().children()[0]
    selector = selectors.DefaultSelector()
    asked = pages = size = 0

    def target() -> str:
        nonlocal asked
        asked += 1
        moment = f"20{18 + asked % 8}-{1 + asked % 12:02d}-01T00:00:00Z"
        return pattern.format(offset=asked * 100 % max(people - 100, 100), moment=moment)

    for _ in range(connections):
        connection = _Connection(socket.create_connection((address.hostname or "", address.port or 0)))
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(target(), authorization)
    buffer = bytearray(1 << 20)
    before, started = server.cpu_times(), time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        for key, _ in selector.select(1):
            if key.data.read(buffer):
                pages += 1
                size += key.data.received
                key.data.ask(target(), authorization)
    after = server.cpu_times()
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    cpu = after.user + after.system - before.user - before.system
    return {
        "pages": pages,
        "pages_per_second": round(pages / elapsed),
        "pages_per_core_second": round(pages / cpu),
        "megabytes_per_second": round(size / elapsed / 1e6, 1),
        "kilobytes_per_page": round(size / max(pages, 1) / 1e3, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    started = time.perf_counter()
    with running_simulator(made_up_churches(1, people=options.people), is_warm=True) as client:
        figures: dict[str, object] = {
            "people": options.people,
            "ready_seconds": round(time.perf_counter() - started, 1),
        }
        for name, pattern in _LISTINGS.items():
            figures[name] = measure(
                client, pattern, people=options.people, seconds=options.seconds, connections=options.connections
            )
        figures["memory_megabytes"] = round(psutil.Process().children()[0].memory_info().rss / 1e6)
    sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    main()
