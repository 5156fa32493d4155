"""Peak memory of the sync process against the size of the church.

    python -m benchmarks.memory [--people 1000 20000 100000 200000]

Each size is a church of its own in a fresh Postgres, synced by `openfaith-pipeline sync` with the ten streams of
`throughput`: the whole process with Dagster in it, first sync and then a reconcile. Writes its section of
benchmarks/RESULTS.md.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.church import NO_LIMIT, TEN_STREAMS, Place, be_nice, connect, fresh_place, peak_memory
from benchmarks.results import table, write_section
from openfaith_pipeline.simulator import made_up_churches, running_simulator

_POLL_SECONDS = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1_000, 20_000, 100_000, 200_000])
    options = parser.parse_args()
    be_nice()
    rows = [_measure(people) for people in options.people]
    head = ["people", "peak MB, first sync", "peak MB, reconcile", "first sync, s", "reconcile, s"]
    body = f"`python -m benchmarks.memory`: the process of `openfaith-pipeline sync`.\n\n{table(head, rows)}"
    sys.stdout.write(body + "\n")
    write_section("d memory", "d. Memory against size", body)


def _measure(people: int) -> list[object]:
    churches = made_up_churches(1, people=people)
    with running_simulator(churches, rate_limit=NO_LIMIT, is_warm=True) as simulator, fresh_place() as place:
        org_id = connect(place, simulator)
        first, reconcile = _peak(place, org_id, "incremental"), _peak(place, org_id, "reconcile")
    row = [f"{people:,}", first["megabytes"], reconcile["megabytes"], first["seconds"], reconcile["seconds"]]
    sys.stderr.write(f"{row}\n")
    return row


def _peak(place: Place, org_id: str, mode: str) -> dict[str, Any]:
    streams = [argument for name in TEN_STREAMS for argument in ("--stream", name)]
    command = [sys.executable, "-m", "openfaith_pipeline.cli", "sync", org_id, *streams, "--mode", mode, "--json"]
    started, peak = time.monotonic(), 0
    with (place.home / "sync.json").open("wb") as output:
        process = subprocess.Popen(command, env=place.environment, stdout=output, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            # What the kernel keeps is the peak itself, so that polling misses only what comes in the last moment.
            peak = max(peak, _peak_of(process.pid))
            time.sleep(_POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"the sync failed: {Path(output.name).read_text()[:2000]}")
    return {"megabytes": round(peak / 1e6), "seconds": round(time.monotonic() - started)}


def _peak_of(pid: int) -> int:
    try:
        return peak_memory(pid)
    except OSError:
        return 0


if __name__ == "__main__":
    main()
