"""The cost of a change: requests, rows and time for k changed of N people.

    python -m benchmarks.change [--people 5000] [--changed 0 1 10 100 1000]

No rate limit and no latency: requests are what counts under a limit, seconds what the work costs beyond it. People with
their emails, phone numbers, addresses and answers (the ten streams of `throughput`), raw and canonical. Writes its
section of benchmarks/RESULTS.md.
"""

import argparse
import sys
from typing import Any

from benchmarks.church import NO_LIMIT, TEN_STREAMS, be_nice, connect, fresh_place, sync
from benchmarks.results import table, write_section
from openfaith_pipeline.simulator import made_up_churches, running_simulator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--changed", type=int, nargs="+", default=[0, 1, 10, 100, 1000])
    options = parser.parse_args()
    be_nice()
    churches = made_up_churches(1, people=options.people)
    runs: dict[int, dict[str, Any]] = {}
    with running_simulator(churches, rate_limit=NO_LIMIT, is_warm=True) as simulator, fresh_place() as place:
        org_id = connect(place, simulator)
        first = sync(place, org_id, TEN_STREAMS, is_canonical=True)
        simulator.advance_clock(600)
        sync(place, org_id, TEN_STREAMS, is_canonical=True)
        for number in options.changed:
            simulator.advance_clock(600)
            if number:
                simulator.edit(org_id, "people.people", count=number)
            runs[number] = sync(place, org_id, TEN_STREAMS, is_canonical=True)
            sys.stderr.write(f"{number}: {runs[number]}\n")
    body = _told(first, runs, options)
    sys.stdout.write(body + "\n")
    write_section("e change", "e. The cost of a change", body)


def _told(first: dict[str, Any], runs: dict[int, dict[str, Any]], options: argparse.Namespace) -> str:
    rows = [_row("first sync", first), *(_row(f"{number} changed", each) for number, each in runs.items())]
    head = [
        "",
        "requests",
        "records read",
        "raw rows written",
        "canonical rows written",
        "wall, s",
        "CPU, s",
        "Postgres CPU, s",
    ]
    return f"`python -m benchmarks.change --people {options.people}`: {options.people} people.\n\n{table(head, rows)}"


def _row(kind: str, each: dict[str, Any]) -> list[object]:
    return [
        kind,
        f"{each['requests']:,}",
        f"{each['records']:,}",
        f"{each['raw_written']:,}",
        f"{each['canonical_written']:,}",
        f"{each['seconds']:.2f}",
        f"{each['cpu_seconds']:.2f}",
        f"{each['postgres_cpu_seconds']:.2f}",
    ]


if __name__ == "__main__":
    main()
