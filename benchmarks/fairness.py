"""How long other churches wait for the answers to their deliveries while one floods the receiver, and for their rows.

    python -m benchmarks.fairness [--rate 20] [--seconds 15] [--connections 32]

The service runs in a process of its own with its applier, on the embedded Postgres. Nineteen churches' deliveries come
at a steady rate, each over a new connection: first alone, then while a twentieth sends as much as is answered over many
connections: deliveries as Planning Center's, bodies of a megabyte, and bodies that it did not sign. Target: its flood
raises the others' p99 by at most three times. Prints JSON.
"""

import argparse
import asyncio
import hashlib
import hmac
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson
import uvloop

from benchmarks.results import write_section
from benchmarks.webhooks import EVENT, SECRET, SERVICE, body_of, deliver, percentiles, subscribe
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.settings import Settings, environment_with

KINDS: Final = ("deliveries", "megabytes", "forgeries")
CHURCHES: Final = 20
SETTLE_SECONDS: Final = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20, help="deliveries a second of the others together")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=32, help="of the church that floods")
    parser.add_argument("--flood", nargs=3, metavar=("KIND", "URL", "ORG"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.flood:
        kind, url, org_id = asked.flood
        sys.stdout.write(f"{uvloop.run(_flood(kind, url, org_id, asked.connections, asked.seconds))}\n")
        return
    with tempfile.TemporaryDirectory(prefix="openfaith-benchmark-") as directory:
        Path(directory).chmod(0o755)
        settings = Settings(home=Path(directory) / "home")
        with open_database(settings, makes_home=True) as database:
            flooding, *others = [subscribe(database) for _ in range(CHURCHES)]
            with _service(settings) as url:
                deliver(url, others, asked.rate, 3, first=10**6)  # it warms up
                results = {kind: _measure(database, url, others, flooding, kind, asked) for kind in ("", *KINDS)}
    result = orjson.dumps(_compared(results, asked), option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(f"{result}\n")
    body = f"`python -m benchmarks.fairness`: others' answers while one church floods.\n\n```json\n{result}\n```"
    write_section("fairness", "Fairness between churches", body)


@contextmanager
def _service(settings: Settings) -> Iterator[str]:
    environment = environment_with(OPENFAITH_HOME=str(settings.home))
    service = subprocess.Popen([sys.executable, "-c", SERVICE, "yes"], env=environment, stdout=subprocess.PIPE)
    try:
        assert service.stdout  # noqa: S101
        yield service.stdout.readline().decode().strip()
    finally:
        service.send_signal(signal.SIGINT)  # it ends its applier then
        service.wait(30)


def _measure(
    database: Database, url: str, others: list[str], flooding: str, kind: str, asked: argparse.Namespace
) -> dict[str, object]:
    """What the others' deliveries met: the waits for answers and rows, and how much the flood brought meanwhile."""
    began = time.time()
    first = 10**7 * (1 + ("", *KINDS).index(kind))
    if not kind:
        took, statuses = deliver(url, others, asked.rate, asked.seconds, first=first)
        flooded = 0
    else:
        options = ["--connections", str(asked.connections), "--seconds", str(asked.seconds + 2)]
        command = [sys.executable, "-m", "benchmarks.fairness", *options, "--flood", kind, url, flooding]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
            time.sleep(1.5)
            took, statuses = deliver(url, others, asked.rate, asked.seconds, first=first)
            flooded = int((flood.communicate()[0] or b"0").split()[-1])
    return {
        "answers": {str(status): count for status, count in statuses.items()},
        "milliseconds": percentiles(took),
        "applied_after_seconds": _until_applied(database, flooding, began),
        "answers_to_the_flood": flooded,
    }


def _until_applied(database: Database, flooding: str, began: float) -> dict[str, float]:
    """Seconds from the moment a delivery was kept until it had been tried first, whatever came of that."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        with database.connect() as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM coalesce(settled_at, CASE WHEN attempts > 0 THEN now() END) - received_at)"
                " FROM sync.webhook_deliveries WHERE org_id <> %s AND received_at >= to_timestamp(%s)",
                (flooding, began),
            ).fetchall()
        waits = [float(row[0]) for row in rows if row[0] is not None]
        if len(waits) == len(rows) or time.monotonic() > deadline:
            return percentiles([*waits, *([SETTLE_SECONDS] * (len(rows) - len(waits)))], scale=1)
        time.sleep(0.2)


def _compared(results: dict[str, dict[str, object]], asked: argparse.Namespace) -> dict[str, object]:
    alone = results.pop("")
    for result in results.values():
        result["p99_times"] = round(_p99(result) / _p99(alone), 2)
    return {"rate": asked.rate, "seconds": asked.seconds, "connections": asked.connections, "alone": alone, **results}


def _p99(result: dict[str, object]) -> float:
    milliseconds = result["milliseconds"]
    assert isinstance(milliseconds, dict)  # noqa: S101
    return float(milliseconds["p99"])


async def _flood(kind: str, url: str, org_id: str, connections: int, seconds: int) -> int:
    """Send over so many connections for so long, each as soon as the last was answered; how many were."""
    ends_at = time.monotonic() + seconds
    counts = await asyncio.gather(*(_send(kind, url, org_id, number, ends_at) for number in range(connections)))
    return sum(sum(count.values()) for count in counts)


async def _send(kind: str, url: str, org_id: str, lane: int, ends_at: float) -> Counter[int]:
    parts, counts, number = urlsplit(url), Counter[int](), 0
    while time.monotonic() < ends_at:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while time.monotonic() < ends_at:
                writer.write(_request(kind, parts.netloc, org_id, lane * 10**9 + number))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                await reader.readexactly(length)
                counts[int(head.split()[1])] += 1
                number += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
    return counts


def _request(kind: str, host: str, org_id: str, number: int) -> bytes:
    body = b'{"data":[%s1]}' % (b"1," * 500_000) if kind == "megabytes" else body_of(number)
    secret = "another's" if kind == "forgeries" else SECRET
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /api/webhooks/pco/{org_id} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json\r\nX-PCO-Webhooks-Name: {EVENT}\r\n"
        f"X-PCO-Webhooks-Authenticity: {signature}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
