"""Wall time of a sync over what the rate limit alone would take.

    python -m benchmarks.rate_limit [--people 800] [--limit 100/20] [--product people ...]

The simulator answers after 300 ms and 3 ms for each row, and allows 100 requests in 20 seconds. The bound of a sync of
n requests is floor((n - 1) / limit) x period + one request's latency. Measured are a full sync of all products into an
empty database, a sync in which nothing has changed, and one after 1 % of the people have changed. Each begins with a
fresh budget. Takes about as long as the bounds: some twenty minutes. Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import sys
import time
from typing import Any, Final

from benchmarks.church import connect, fresh_place, sync
from benchmarks.results import table, write_section
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.simulator import Latency, RateLimit, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS, streams_of

LATENCY: Final = Latency(base_ms=300, per_row_ms=3)
ONE_REQUEST_SECONDS: Final = 0.3
"""The least that a request can take: a generous bound would flatter us."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=800)
    parser.add_argument("--limit", default="100/20", help="requests/seconds")
    parser.add_argument("--product", action="append", type=Product, help="only this product; RESULTS.md stays as it is")
    options = parser.parse_args()
    number, period = (int(part) for part in options.limit.split("/"))
    limit = RateLimit(limit=number, period_seconds=period)
    streams = [stream.name for product in options.product or Product for stream in streams_of(product)]
    churches = made_up_churches(1, people=options.people)
    with (
        running_simulator(churches, rate_limit=limit, latency=LATENCY, is_warm=True) as simulator,
        fresh_place() as place,
    ):
        org_id = connect(place, simulator)

        def measure(kind: str) -> tuple[str, dict[str, Any]]:
            time.sleep(period)
            simulator.set_rate_limit(limit)
            return kind, _measured(simulator, limit, lambda: sync(place, org_id, streams))

        runs = dict([measure("full")])
        runs |= dict([measure("nothing changed")])
        _change(simulator, org_id, options.people // 100)
        runs |= dict([measure(f"{options.people // 100} people changed")])
    body = _told(runs, options, limit)
    sys.stdout.write(body + "\n")
    if not options.product:
        write_section("b rate limit", "b. Wall time over the rate limit's bound", body)


def _measured(simulator: SimulatorClient, limit: RateLimit, run: Any) -> dict[str, Any]:
    before = simulator.stats()
    figures: dict[str, Any] = run()
    after = simulator.stats()
    requests = after["requests"] - before["requests"]
    bound = (requests - 1) // limit.limit * limit.period_seconds + ONE_REQUEST_SECONDS
    figures |= {"requests": requests, "refused": after["rate_limited"] - before["rate_limited"], "bound": bound}
    sys.stderr.write(f"{figures}\n")
    return figures


def _change(simulator: SimulatorClient, org_id: str, count: int) -> None:
    simulator.edit(org_id, "people.people", count=count)


def _told(runs: dict[str, dict[str, Any]], options: argparse.Namespace, limit: RateLimit) -> str:
    rows = [
        [
            kind,
            f"{each['requests']:,}",
            each["refused"],
            f"{each['records']:,}",
            f"{each['bound']:.1f}",
            f"{each['seconds']:.1f}",
            f"{each['seconds'] / each['bound']:.3f}",
        ]
        for kind, each in runs.items()
    ]
    head = ["sync", "requests", "refused (429)", "records", "bound, s", "wall, s", "wall / bound"]
    streams = f"{len(STREAMS)} streams" if not options.product else ", ".join(options.product)
    return (
        f"`python -m benchmarks.rate_limit --people {options.people}`: {options.people} people, {streams},"
        f" {limit.limit} requests in {limit.period_seconds:g} s, answers after 300 ms and 3 ms for each row.\n\n"
        f"{table(head, rows)}"
    )


if __name__ == "__main__":
    main()
