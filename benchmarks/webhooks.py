"""How long Planning Center waits for the answer to a delivery, at a steady rate, while the deliveries are applied too.

    python -m benchmarks.webhooks [--rate 200] [--seconds 20] [--orgs 20] [--no-applier]

The service runs in a process of its own on the embedded Postgres, with its disk writes as they are in production. The
deliveries go out on their times whether earlier ones were answered or not, over new connections, signed and each of
another record. Prints JSON: the answers' percentiles in milliseconds, what was answered, and what was kept.
"""

import argparse
import asyncio
import gc
import hashlib
import hmac
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import uvloop
from pydantic import SecretStr

from benchmarks.results import write_section
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import Settings, environment_with
from openfaith_pipeline.webhooks.secrets import Subscription, keep_subscription

EVENT = "people.v2.events.email.updated"
NOWHERE = "http://127.0.0.1:9"
SECRET = "a benchmark's"  # noqa: S105 - it opens nothing

SERVICE = """
import contextlib, sys
from openfaith_pipeline.database import open_database
from openfaith_pipeline.service import server
from openfaith_pipeline.settings import load_settings
if sys.argv[1] == "no":
    server.applier = lambda database: contextlib.nullcontext()
with contextlib.suppress(KeyboardInterrupt), open_database(load_settings()) as database:
    server.serve(database, "127.0.0.1", 0, lambda url: print(url, flush=True))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200, help="deliveries a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--orgs", type=int, default=20)
    parser.add_argument("--no-applier", action="store_true", help="receive only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openfaith-benchmark-") as directory:
        Path(directory).chmod(0o755)
        settings = Settings(home=Path(directory) / "home")
        with open_database(settings, makes_home=True) as database:
            org_ids = [subscribe(database) for _ in range(asked.orgs)]
            environment = environment_with(OPENFAITH_HOME=str(settings.home))
            applies = "no" if asked.no_applier else "yes"
            service = subprocess.Popen(
                [sys.executable, "-c", SERVICE, applies], env=environment, stdout=subprocess.PIPE
            )
            try:
                assert service.stdout  # noqa: S101
                url = service.stdout.readline().decode().strip()
                deliver(url, org_ids, asked.rate, 2, first=10**6)
                took, statuses = deliver(url, org_ids, asked.rate, asked.seconds, first=1)
                result = orjson.dumps(_result(database, took, statuses, asked), option=orjson.OPT_INDENT_2).decode()
                sys.stdout.write(f"{result}\n")
                body = f"`python -m benchmarks.webhooks`: the answers to deliveries.\n\n```json\n{result}\n```"
                if asked.no_applier:
                    write_section("webhooks-received", "Webhook receiver by itself", body)
                else:
                    write_section("webhooks", "Webhook receiver, while deliveries are applied", body)
            finally:
                service.send_signal(signal.SIGINT)  # it ends its applier then
                service.wait(30)


def subscribe(database: Database) -> str:
    org_id = new_org_id()
    with database.connect() as connection:
        cipher = cipher_from(database.settings)
        add_org(
            connection,
            cipher,
            org_id,
            org_id,
            PersonalAccessToken("app", SecretStr("none")),
            api_url=NOWHERE,
            adapter="pco",
        )
        keep_subscription(connection, cipher, org_id, "pco", Subscription("1", EVENT, "http://here"), SECRET)
    return org_id


def deliver(url: str, org_ids: list[str], rate: int, seconds: int, *, first: int) -> tuple[list[float], Counter[int]]:
    """Each delivery on its time; seconds to each answer, and the answers' statuses."""
    calls = [_call(url, org_ids[number % len(org_ids)], first + number) for number in range(rate * seconds)]
    gc.collect()
    gc.freeze()
    return uvloop.run(_send(url, calls, rate))


async def _send(url: str, calls: list[bytes], rate: int) -> tuple[list[float], Counter[int]]:
    began = time.perf_counter()
    tasks = []
    for number, call in enumerate(calls):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(_post(url, call)))
    answers = await asyncio.gather(*tasks)
    return [took for took, _ in answers], Counter(status for _, status in answers)


async def _post(url: str, call: bytes) -> tuple[float, int]:
    parts = urlsplit(url)
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(call)
    status = int((await reader.readline()).split()[1])
    took = time.perf_counter() - began
    writer.close()
    return took, status


def _call(url: str, org_id: str, number: int) -> bytes:
    body = body_of(number)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /api/webhooks/pco/{org_id} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\nX-PCO-Webhooks-Name: {EVENT}\r\n"
        f"X-PCO-Webhooks-Authenticity: {signature}\r\n\r\n"
    )
    return head.encode() + body


def body_of(number: int) -> bytes:
    attributes = {
        "address": f"{number}.{random.randrange(10**9)}@example.org",  # noqa: S311 - not a secret
        "location": "Home",
        "primary": True,
        "blocked": False,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
    }
    person = {"data": {"type": "Person", "id": "1"}}
    record = {"type": "Email", "id": str(number), "attributes": attributes, "relationships": {"person": person}}
    payload = orjson.dumps({"data": record, "included": [], "meta": {"event_time": "2026-01-02T00:00:00Z"}}).decode()
    event = {"id": str(uuid.uuid4()), "type": "EventDelivery"}
    return orjson.dumps({"data": [{**event, "attributes": {"name": EVENT, "attempt": 1, "payload": payload}}]})


def _result(database: Database, took: list[float], statuses: Counter[int], asked: argparse.Namespace) -> object:
    with database.connect() as connection:
        kept = connection.execute("SELECT status, count(*) FROM sync.webhookdeliveries GROUP BY 1").fetchall()
    return {
        "rate": asked.rate,
        "seconds": asked.seconds,
        "applied_meanwhile": not asked.no_applier,
        "answers": {str(status): count for status, count in statuses.items()},
        "milliseconds": percentiles(took),
        "kept": dict(kept),
    }


def percentiles(seconds: list[float], *, scale: int = 1000) -> dict[str, float]:
    """Of the waits, in milliseconds unless scaled otherwise."""
    ranked = sorted(seconds) or [0.0]
    return {
        name: round(ranked[min(len(ranked) - 1, int(len(ranked) * share))] * scale, 1 if scale > 1 else 2)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }


if __name__ == "__main__":
    main()
