"""What the orchestration costs by itself: Dagster around no work, and around the same work that is done without it too.

    python -m benchmarks.orchestration [--people 20] [--repeat 5]

Measured are whole processes from start to end, imports included, in turn: a sweep when no church is due (Dagster's run
with everything but work), a sync without changes by the engine alone, and the same sync by `openfaith-pipeline sync`,
which is a Dagster run with its assets, checks and events. Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.church import NO_LIMIT, TEN_STREAMS, Place, connect, fresh_place, postgres_cpu_seconds, sync
from benchmarks.results import table, write_section
from openfaith_pipeline.simulator import made_up_churches, running_simulator

_EVENTS: Final = "SELECT count(*) FROM dagster.event_logs"


@dataclass(frozen=True)
class _Cost:
    """Of one process: seconds, and events written to Dagster's log."""

    wall: float
    cpu: float
    postgres_cpu: float
    events: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5, help="runs of each kind; medians are told")
    options = parser.parse_args()
    churches = made_up_churches(1, people=options.people)
    with running_simulator(churches, rate_limit=NO_LIMIT, is_warm=True) as simulator, fresh_place() as place:
        org_id = connect(place, simulator)
        sync(place, org_id, TEN_STREAMS, is_canonical=True)
        commands = _commands(org_id)
        for command in commands.values():
            _cost(place, command)  # the first time the tables of Dagster are made
        costs: dict[str, list[_Cost]] = {name: [] for name in commands}
        for _ in range(options.repeat):
            for name, command in commands.items():
                _let_nobody_be_due(place)
                costs[name].append(_cost(place, command))
                sys.stderr.write(f"{name}: {costs[name][-1]}\n")
    body = _told(costs, options.people)
    sys.stdout.write(body + "\n")
    write_section("f orchestration", "f. The orchestration alone", body)


def _commands(org_id: str) -> dict[str, list[str]]:
    asked = {"org_id": org_id, "streams": TEN_STREAMS, "mode": "incremental", "is_canonical": True}
    streams = [argument for name in TEN_STREAMS for argument in ("--stream", name)]
    return {
        "a sweep with no church due": ["benchmarks.sweeping_run"],
        "a sync without changes, the engine alone": ["benchmarks.syncing", json.dumps(asked)],
        "the same by `openfaith-pipeline sync`": ["openfaith_pipeline.cli", "sync", org_id, *streams, "--json"],
    }


def _let_nobody_be_due(place: Place) -> None:
    with place.database.connect() as connection:
        connection.execute("UPDATE sync.org_schedules SET next_at = now() + interval '1 day'")


def _cost(place: Place, command: Sequence[str]) -> _Cost:
    postgres, events, started = postgres_cpu_seconds(place), _events(place), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=place.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:2])} ended with exit code {process.returncode}")
    return _Cost(
        wall=time.monotonic() - started,
        cpu=used.ru_utime + used.ru_stime,
        postgres_cpu=postgres_cpu_seconds(place) - postgres,
        events=_events(place) - events,
    )


def _events(place: Place) -> int:
    with place.database.connect() as connection:
        if connection.execute("SELECT to_regclass('dagster.event_logs')").fetchone() == (None,):
            return 0
        [(count,)] = connection.execute(_EVENTS).fetchall()
    return int(count)


def _told(costs: Mapping[str, Sequence[_Cost]], people: int) -> str:
    rows = [
        [
            name,
            *(f"{median(getattr(cost, figure) for cost in each):.2f}" for figure in ("wall", "cpu", "postgres_cpu")),
            f"{median(cost.events for cost in each):.0f}",
        ]
        for name, each in costs.items()
    ]
    head = ["process, from start to end", "wall, s", "CPU, s", "Postgres CPU, s", "events in Dagster's log"]
    repeat = len(next(iter(costs.values())))
    return (
        f"`python -m benchmarks.orchestration --people {people} --repeat {repeat}`: ten streams, medians.\n\n"
        f"{table(head, rows)}"
    )


if __name__ == "__main__":
    main()
