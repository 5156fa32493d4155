"""The child process of `benchmarks.throughput`: asks for the same pages and keeps nothing; prints JSON.

Not a benchmark by itself: it tells what the answers alone cost, with the same client library and the same decoder.
"""

import asyncio
import json
import sys
import time
from typing import Any

import httpx
import orjson

from benchmarks.church import peak_memory

IN_FLIGHT = 10


async def _fetch(asked: dict[str, Any]) -> int:
    targets = iter(asked["targets"])
    records = 0

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal records
        for target in targets:
            answer = await client.get(target)
            document = orjson.loads(answer.raise_for_status().content)
            records += len(document["data"]) + len(document.get("included", ()))

    auth = (asked["app_id"], asked["secret"])
    async with httpx.AsyncClient(base_url=asked["url"], auth=auth, timeout=60) as client, asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(work(client))
    return records


def main() -> None:
    asked = json.load(sys.stdin)
    started, before = time.perf_counter(), time.process_time()
    records = asyncio.run(_fetch(asked))
    figures = {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - before, 2),
        "records": records,
        "peak_megabytes": round(peak_memory() / 1e6),
        "postgres_cpu_seconds": 0.0,
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
