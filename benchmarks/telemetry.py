"""The cost of telemetry: one church synced with a collector that listens and without one, in turn.

    python -m benchmarks.telemetry [--people 5000] [--repeat 7]

As in benchmark a, there is neither latency nor a rate limit, so that nothing hides the cost. The collector is a process
of its own that throws away what it is sent; it shares the machine's cores. Writes its section of benchmarks/RESULTS.md.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

from benchmarks.church import NO_LIMIT, TEN_STREAMS, connect, fresh_place, sync
from benchmarks.results import table, write_section
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator

_SINK: Final = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
"""
_OFF: Final = {"OTEL_SDK_DISABLED": "true"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=7, help="runs of each kind; medians are told")
    options = parser.parse_args()
    churches = made_up_churches(1, people=options.people)
    with running_simulator(churches, rate_limit=NO_LIMIT, is_warm=True) as simulator, _collector() as endpoint:
        kinds = {
            "switched off": _OFF,
            "no collector listens": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
            "a collector listens": {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        }
        runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        _run(simulator, _OFF)  # the first one finds everything cold
        for _ in range(options.repeat):
            for kind, environment in kinds.items():
                runs[kind].append(_run(simulator, environment))
                sys.stderr.write(f"{kind}: {runs[kind][-1]}\n")
    body = _told(runs, f"`python -m benchmarks.telemetry --people {options.people} --repeat {options.repeat}`")
    sys.stdout.write(body + "\n")
    write_section("i telemetry", "i. Telemetry", body)


def _run(simulator: SimulatorClient, environment: dict[str, str]) -> dict[str, Any]:
    with fresh_place() as place:
        return sync(place, connect(place, simulator), TEN_STREAMS, is_canonical=True, environment=environment)


@contextmanager
def _collector() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _SINK], stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def _told(runs: dict[str, list[dict[str, Any]]], command: str) -> str:
    base = runs["switched off"]
    rows = []
    for kind, measured in runs.items():
        seconds = [each["seconds"] / before["seconds"] for each, before in zip(measured, base, strict=True)]
        cpu = [each["cpu_seconds"] / before["cpu_seconds"] for each, before in zip(measured, base, strict=True)]
        rows.append(
            [
                kind,
                f"{median(each['seconds'] for each in measured):.2f}",
                f"{median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})",
                f"{median(each['cpu_seconds'] for each in measured):.2f}",
                f"{median(cpu):.3f} ({min(cpu):.3f} to {max(cpu):.3f})",
            ]
        )
    head = [
        "telemetry",
        "seconds, median",
        "of switched off, by pairs",
        "CPU s, our process",
        "of switched off, by pairs",
    ]
    return f"{command}\n\n{table(head, rows)}"


if __name__ == "__main__":
    main()
