"""How long other churches wait for the answers to their deliveries while one floods the receiver, and for their rows.

    python -m benchmarks.fairness [--rounds 3] [--rate 40] [--seconds 8] [--connections 32] [--kinds KIND ...]

The service runs in a process of its own with its applier, on the embedded Postgres. Nineteen churches' deliveries come
at a steady rate, each over a new connection, in turn alone and while a twentieth sends as much as is answered over many
connections: deliveries as Planning Center's, bodies of a megabyte, bodies that it did not sign, and such bodies of a
megabyte. A flood is compared with what was measured alone just before and just after it, since the machine changes
meanwhile. Target: at the median of the rounds a flood raises the others' p99 by at most three times. Prints JSON, all
rounds included.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import uvloop

from benchmarks.results import table, write_section
from benchmarks.webhooks import EVENT, SECRET, SERVICE, body_of, deliver, percentiles, subscribe
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.settings import Settings, environment_with

KINDS: Final = ("deliveries", "megabytes", "forgeries", "forged megabytes")
CHURCHES: Final = 20
SETTLE_SECONDS: Final = 20
_MEGABYTE: Final = b'{"data":[' + b"1," * 500_000

_WAITS: Final = """
SELECT extract(epoch FROM coalesce(settled_at, CASE WHEN attempts > 0 THEN now() END) - received_at)
  FROM sync.webhook_deliveries
 WHERE org_id <> %s AND received_at >= to_timestamp(%s)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=40, help="deliveries a second of the others together")
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32, help="of the church that floods")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of floods; default: all")
    parser.add_argument("--flood", nargs=3, metavar=("KIND", "URL", "ORG"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        kind, url, org_id = options.flood
        sys.stdout.write(f"{uvloop.run(_flood(kind, url, org_id, options.connections, options.seconds))}\n")
        return
    with tempfile.TemporaryDirectory(prefix="openfaith-benchmark-") as directory:
        Path(directory).chmod(0o755)
        settings = Settings(home=Path(directory) / "home")
        with open_database(settings, makes_home=True) as database:
            flooding, *others = [subscribe(database) for _ in range(CHURCHES)]
            with _service(settings) as url:
                deliver(url, others, options.rate, 3, first=10**6)  # warm up
                measure = partial(_measure, database, url, others, flooding, options)
                rounds = [_round(measure, number, options.kinds) for number in range(options.rounds)]
    _report(rounds, options)


def _report(rounds: list[dict[str, dict[str, Any]]], options: argparse.Namespace) -> None:
    names = ("rounds", "rate", "seconds", "connections")
    parameters = {name: getattr(options, name) for name in names}
    medians = {kind: _median_round([each[kind] for each in rounds]) for kind in options.kinds}
    result = orjson.dumps({**parameters, "medians": medians, "all": rounds}, option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(f"{result}\n")
    head = ("flood", "p99 raised, times (median)", "in each round", "p99 alone, ms", "p99 in the flood, ms", "p50")
    rows = table(head, (_row(kind, [each[kind] for each in rounds]) for kind in options.kinds))
    command = f"`python -m benchmarks.fairness` ({', '.join(f'{key} {value}' for key, value in parameters.items())})"
    target = "Target: at most 3 times at the median. Every round of the run is shown."
    write_section(
        "fairness", "Fairness between churches", f"{command}: others' answers in a flood.\n\n{rows}\n\n{target}"
    )


def _row(kind: str, rounds: list[dict[str, Any]]) -> tuple[object, ...]:
    def each(value: Callable[[dict[str, Any]], object]) -> str:
        return ", ".join(str(value(one)) for one in rounds)

    return (
        kind,
        _median_round(rounds)["p99_times"],
        each(lambda one: one["p99_times"]),
        each(lambda one: one["p99_alone"]),
        each(lambda one: one["milliseconds"]["p99"]),
        each(lambda one: one["milliseconds"]["p50"]),
    )


def _median_round(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: round(median(each[name] for each in rounds), 2) for name in ("p99_times", "p99_alone")}


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


def _round(measure: Callable[[str, int], dict[str, Any]], number: int, kinds: Sequence[str]) -> dict[str, Any]:
    """Alone, flood, alone, flood, ..., alone. Each flood gets the p99 beside it, and how many times that its own is."""
    measured = {"alone before": measure("", 100 * number)}
    alone = measured["alone before"]
    for position, kind in enumerate(kinds, start=1):
        flood = measured[kind] = measure(kind, 100 * number + 2 * position)
        following = measured[f"alone after {kind}"] = measure("", 100 * number + 2 * position + 1)
        beside = (alone["milliseconds"]["p99"] + following["milliseconds"]["p99"]) / 2
        flood["p99_alone"] = round(beside, 1)
        flood["p99_times"] = round(flood["milliseconds"]["p99"] / beside, 2)
        alone = following
    return measured


def _measure(
    database: Database, url: str, others: list[str], flooding: str, options: argparse.Namespace, kind: str, number: int
) -> dict[str, Any]:
    """The others' waits for answers and for rows, and how much of the flood was answered meanwhile.

    kind: of the flood; none if empty. number: of this measurement, so that no delivery is sent twice.
    """
    began = time.time()
    first = 10**7 + 10**5 * number
    flooded = 0
    if not kind:
        took, statuses = deliver(url, others, options.rate, options.seconds, first=first)
    else:
        flags = ["--connections", str(options.connections), "--seconds", str(options.seconds + 2)]
        command = [sys.executable, "-m", "benchmarks.fairness", *flags, "--flood", kind, url, flooding]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
            time.sleep(1.5)
            took, statuses = deliver(url, others, options.rate, options.seconds, first=first)
            flooded = int((flood.communicate()[0] or b"0").split()[-1])
    return {
        "answers": {str(status): count for status, count in statuses.items()},
        "milliseconds": percentiles(took),
        "applied_after_seconds": _until_applied(database, flooding, began),
        "answers_to_the_flood": flooded,
    }


def _until_applied(database: Database, flooding: str, began: float) -> dict[str, float]:
    """Seconds from the moment a delivery was kept until it was first tried, with whatever outcome."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        with database.connect() as connection:
            rows = connection.execute(_WAITS, (flooding, began)).fetchall()
        waits = [float(row[0]) for row in rows if row[0] is not None]
        if len(waits) == len(rows) or time.monotonic() > deadline:
            return percentiles([*waits, *([SETTLE_SECONDS] * (len(rows) - len(waits)))], scale=1)
        time.sleep(0.2)


async def _flood(kind: str, url: str, org_id: str, connections: int, seconds: int) -> int:
    """Send over so many connections for so long, each as soon as the last was answered; how many were answered."""
    ends_at = time.monotonic() + seconds
    request = _requests(kind, urlsplit(url).netloc, org_id)
    counts = await asyncio.gather(*(_send(url, request, lane, ends_at) for lane in range(connections)))
    return sum(sum(count.values()) for count in counts)


async def _send(url: str, request: Callable[[int], bytes], lane: int, ends_at: float) -> Counter[int]:
    parts, counts, number = urlsplit(url), Counter[int](), 0
    while time.monotonic() < ends_at:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while time.monotonic() < ends_at:
                writer.write(request(lane * 10**9 + number))
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


def _requests(kind: str, host: str, org_id: str) -> Callable[[int], bytes]:
    """The request of a number, each of another body. What megabytes have in common is hashed once for all."""
    secret = ("another's" if kind.startswith("forge") else SECRET).encode()
    begun = hmac.new(secret, _MEGABYTE, hashlib.sha256)

    def request(number: int) -> bytes:
        if "megabytes" in kind:
            end = b"%d]}" % number
            body, signed = _MEGABYTE + end, begun.copy()
            signed.update(end)
        else:
            body = body_of(number)
            signed = hmac.new(secret, body, hashlib.sha256)
        head = (
            f"POST /api/webhooks/pco/{org_id} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: application/json\r\nX-PCO-Webhooks-Name: {EVENT}\r\n"
            f"X-PCO-Webhooks-Authenticity: {signed.hexdigest()}\r\n\r\n"
        )
        return head.encode() + body

    return request


if __name__ == "__main__":
    main()
