"""The child process of `benchmarks.church.sync`: one sync, measured from inside; prints JSON.

Not a benchmark by itself. What is counted begins when the sync is called: imports and the start of Postgres are not
part of it.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections import Counter
from typing import Any
from uuid import uuid4

from benchmarks.church import peak_memory
from openfaith_pipeline.database import open_database
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.attempt import sync_streams
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.telemetry.process import Role, telemetry
from openfaith_pipeline.transform import transform_org


def main() -> None:
    asked = json.loads(sys.argv[1])
    org_id, mode, sync_id = asked["org_id"], SyncMode(asked["mode"]), f"sync_{uuid4().hex}"
    streams = [STREAMS[name] for name in asked["streams"]]
    with open_database(load_settings()) as database, telemetry(database.settings, Role.RUN):
        with database.connect() as connection:
            begin_sync(connection, SyncStart(sync_id, None, mode.value, "benchmark", {}))
        gc.collect()
        marks = [_mark()]
        results = asyncio.run(sync_streams(database, org_id, streams, mode=mode, sync_id=sync_id))
        marks.append(_mark())
        tables: dict[str, Any] = {}
        if asked["is_canonical"]:
            schema = database.settings.canonical_schema
            with database.connect() as connection:
                tables = transform_org(connection, org_id, schema=schema, sync_id=sync_id)
            marks.append(_mark())
        with database.connect() as connection:
            finish_sync(connection, sync_id)
    wall, cpu = marks[-1][0] - marks[0][0], marks[-1][1] - marks[0][1]
    figures = {
        "seconds": round(wall, 3),
        "raw_seconds": round(marks[1][0] - marks[0][0], 3),
        "cpu_seconds": round(cpu, 2),
        "records": sum(result.fetched for result in results.values()),
        "requests": sum(result.requests for result in results.values()),
        "raw_written": sum(result.inserted + result.updated + result.deleted for result in results.values()),
        "canonical_written": sum(result.inserted + result.updated for result in tables.values()),
        "statuses": Counter(result.status for result in results.values()),
        "troubles": sorted(
            {f"{r.stream}: {r.error}" for r in results.values() if r.status in {"failed", "incomplete"}}
        ),
        "peak_megabytes": round(peak_memory() / 1e6),
    }
    sys.stdout.write(json.dumps(figures))


def _mark() -> tuple[float, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
