"""The status page over many churches: how long each page takes to answer.

    python -m benchmarks.status_page [--churches 1000] [--requests 30]

`openfaith_pipeline_tests.seeded` makes the churches: each with every stream of the catalog and two syncs of it. Some of
each hundred are paused, dead, failing, late or have giving withheld. The service runs as
`openfaith-pipeline serve` does, over an embedded Postgres with its usual settings, and one client requests one page
after the other. Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Final

from benchmarks.church import Place, be_nice, fresh_place
from benchmarks.results import table, write_section
from openfaith_pipeline.cli.demo_churches import free_port
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.seeded import seed_churches

_CHURCH: Final = f"org_{'4'.zfill(26)}"
_PAGES: Final = {
    "`/`, worst first": "/",
    "`/`, by name, page 7": "/?sort=name&page=7",
    "`/`, those that fail": "/?standing=failing",
    "`/`, searched for a name": "/?q=church+0777",
    "`/orgs/ORG`": f"/orgs/{_CHURCH}",
    "`/orgs/ORG/streams/STREAM`": f"/orgs/{_CHURCH}/streams/people.emails",
    "`/syncs/SYNC`": f"/syncs/seeded%20{_CHURCH}%200",
    "`/api/status`": "/api/status",
    "`/metrics`, read anew": "/metrics",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--churches", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=30)
    options = parser.parse_args()
    be_nice()
    with fresh_place() as place:
        seed_churches(place.database, options.churches)
        with _service(place) as port:
            rows = [_row(name, _times(port, path, options.requests)) for name, path in _PAGES.items()]
    body = (
        f"`python -m benchmarks.status_page`: {options.churches:,} churches of {len(STREAMS)} streams,"
        f" {options.requests} requests of each page, one after the other.\n\n"
        + table(("page", "median, ms", "9 of 10 within, ms"), rows)
    )
    write_section("status-page", "The status page", body)


def _row(name: str, times: list[float]) -> list[str]:
    return [name, f"{median(times) * 1000:.0f}", f"{quantiles(times, n=10)[-1] * 1000:.0f}"]


def _times(port: int, path: str, requests: int) -> list[float]:
    """Seconds of each request; the first ones, by which the service gets its connections, are left out."""
    for _ in range(3):
        _ask(port, path)
    if path == "/metrics":
        return [_ask(port, path, pause=5.5) for _ in range(min(requests, 8))]
    return [_ask(port, path) for _ in range(requests)]


def _ask(port: int, path: str, *, pause: float = 0.0) -> float:
    time.sleep(pause)
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} was answered with {answer.status}")
    return time.perf_counter() - began


@contextmanager
def _service(place: Place) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "openfaith_pipeline.cli", "serve", "--port", str(port)]
    service = subprocess.Popen(command, env=place.environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        service.terminate()
        service.wait(30)


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            _ask(port, "/health")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
