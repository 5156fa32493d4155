"""Throughput with no rate limit and no latency, beside dlt's rest_api source on the same streams.

    python -m benchmarks.throughput [--people 20000] [--repeat 3] [--without-dlt]

Ten streams of one church are synced into an empty Postgres: raw alone, raw and canonical, and by dlt, in turn; and the
pages of the first are asked for by a bare loop over httpx that decodes and forgets them, which is the floor. The
simulator runs in a process of its own whose CPU time is told apart, but it shares the machine's cores. The first run
installs dlt into `.venv-bench`. Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from benchmarks.church import (
    NO_LIMIT,
    TEN_STREAMS,
    connect,
    fresh_place,
    postgres_cpu_seconds,
    requests_of_one_list_each,
    sync,
)
from benchmarks.results import table, write_section
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator

_VENV: Final = Path(".venv-bench")
_DLT: Final = "dlt[postgres]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each kind; medians are told")
    parser.add_argument("--without-dlt", action="store_true", help="measure only ours; RESULTS.md stays as it is")
    options = parser.parse_args()
    kinds = {
        "ours, raw alone": _ours(is_canonical=False),
        "the same pages, asked for and forgotten": _bare,
        "ours, raw and canonical": _ours(is_canonical=True),
    }
    if not options.without_dlt:
        kinds["dlt rest_api to Postgres"] = _dlt
    churches = made_up_churches(1, people=options.people)
    with running_simulator(churches, rate_limit=NO_LIMIT, is_warm=True) as simulator:
        org_id = simulator.churches()[0]["org_id"]
        one_list_each = requests_of_one_list_each(simulator, org_id, TEN_STREAMS)
        runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for _ in range(options.repeat):
            for kind, run in kinds.items():
                simulator_cpu = _cpu_of(simulator)
                figures = run(simulator)
                figures["simulator_cpu_seconds"] = round(_cpu_of(simulator) - simulator_cpu, 2)
                runs[kind].append(figures)
                sys.stderr.write(f"{kind}: {figures}\n")
    body = _told(runs, one_list_each, options.people)
    sys.stdout.write(body + "\n")
    if not options.without_dlt:
        write_section("a throughput", "a. Throughput without limit and latency", body)


def _ours(*, is_canonical: bool) -> Any:
    def run(simulator: SimulatorClient) -> dict[str, Any]:
        simulator.forget_requests()
        with fresh_place() as place:
            return sync(place, connect(place, simulator), TEN_STREAMS, is_canonical=is_canonical)

    return run


def _bare(simulator: SimulatorClient) -> dict[str, Any]:
    """Right after a sync of ours, whose pages are asked for."""
    app_id, secret = simulator.credentials(simulator.churches()[0]["org_id"])
    targets = [request["target"] for request in simulator.requests()]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_fetch"],
        input=json.dumps({"url": simulator.url, "app_id": app_id, "secret": secret, "targets": targets}).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return {**json.loads(done.stdout), "requests": len(targets)}


def _cpu_of(simulator: SimulatorClient) -> float:
    """Seconds that the process which answers has taken so far."""
    port = urlsplit(simulator.url).port
    for process in psutil.Process().children(recursive=True):
        if any(each.laddr.port == port for each in process.net_connections() if each.status == psutil.CONN_LISTEN):
            times = process.cpu_times()
            return float(times.user + times.system)
    return 0.0


def _dlt(simulator: SimulatorClient) -> dict[str, Any]:
    app_id, secret = simulator.credentials(simulator.churches()[0]["org_id"])
    simulator.forget_requests()
    with fresh_place() as place:
        asked = {"url": simulator.url, "app_id": app_id, "secret": secret, "postgres": place.database.url}
        before = postgres_cpu_seconds(place)
        done = subprocess.run(
            [_python(), "-W", "ignore", str(Path(__file__).with_name("dlt_rest_api.py")), json.dumps(asked)],
            env={"PATH": "/usr/bin:/bin", "RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(place.home)},
            stdout=subprocess.PIPE,
            check=True,
        )
        cpu = postgres_cpu_seconds(place) - before
    asked_for = simulator.stats()["requests"]
    return {**json.loads(done.stdout), "postgres_cpu_seconds": round(cpu, 2), "requests": asked_for}


def _python() -> str:
    """The Python that has dlt; it is kept out of ours, with whose dependencies it would quarrel."""
    python = _VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", _DLT], check=True)
    return str(python)


def _told(runs: dict[str, list[dict[str, Any]]], one_list_each: int, people: int) -> str:
    rows = []
    for kind, measured in runs.items():
        records = runs["ours, raw alone"][0]["records"]
        rates = [records / each["seconds"] for each in measured]
        per_100k = 100_000 / records
        rows.append(
            [
                kind,
                f"{records:,}",
                measured[0]["requests"],
                f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
                f"{median(each['cpu_seconds'] for each in measured) * per_100k:.1f}",
                f"{median(each['postgres_cpu_seconds'] for each in measured) * per_100k:.1f}",
                f"{median(each['simulator_cpu_seconds'] for each in measured) * per_100k:.1f}",
                max(each["peak_megabytes"] for each in measured),
            ]
        )
    head = [
        *("", "records", "requests", "records/s, median (least to most)"),
        *("CPU s per 100,000 records, our process", "Postgres", "the simulator", "peak MB"),
    ]
    ours = runs["ours, raw alone"][0]["requests"]
    return (
        f"`python -m benchmarks.throughput --people {people} --repeat {len(runs['ours, raw alone'])}`\n\n"
        f"{table(head, rows)}\n\nOne list for each stream would take {one_list_each:,} requests;"
        f" ours took {ours / one_list_each:.2f} of that."
    )


if __name__ == "__main__":
    main()
