"""Run a simulator: in the foreground for the command line, in a child process for tests and benchmarks."""

import asyncio
import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import uvloop
from typeid import TypeID

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.api import HttpRequest, PlanningCenter
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.control import PREFIX, Control
from openfaith_pipeline.simulator.couriers import Courier
from openfaith_pipeline.simulator.options import ChurchSpec, Faults, Latency, RateLimit, SimulatorOptions
from openfaith_pipeline.simulator.protocol import HttpProtocol

_NAMES = ("Cedar Hollow Chapel", "Saint Juniper's", "Lantern Street Church", "Millpond Fellowship", "Foxglove Abbey")
_CHILD = "from openfaith_pipeline.simulator.server import run_child; run_child()"
_STOP_SECONDS = 5


def made_up_churches(count: int, *, people: int, seed: int = 1) -> tuple[ChurchSpec, ...]:
    """Churches with different seeds and names, but the same org ids and credentials every time."""
    return tuple(
        ChurchSpec(
            org_id=_org_id(seed, number),
            name=_NAMES[number % len(_NAMES)] + (f" {number // len(_NAMES) + 1}" if number >= len(_NAMES) else ""),
            people=people,
            seed=seed + number,
        )
        for number in range(count)
    )


def serve(options: SimulatorOptions, announce: Callable[[SimulatorClient], None], host: str = "127.0.0.1") -> None:
    """Serve until SIGINT or SIGTERM; `announce` is called once the server accepts requests.

    Raises ConfigurationError if the port is not available.
    """
    listener = _listen(host, options.port)
    uvloop.run(_serve(options, listener, announce))


@contextmanager
def running_simulator(
    churches: Sequence[ChurchSpec] | None = None,
    *,
    rate_limit: RateLimit | None = None,
    latency: Latency | None = None,
    faults: Faults | None = None,
    **options: Any,
) -> Iterator[SimulatorClient]:
    """A simulator in a child process on a free port; it ends with the block or with this process.

    By default one church of 50 people, no rate limit, no latency, no faults. `options`: further fields of
    SimulatorOptions.
    """
    started = SimulatorOptions(
        churches=tuple(churches or made_up_churches(1, people=50)),
        rate_limit=rate_limit,
        latency=latency or Latency(),
        faults=faults or Faults(),
        **options,
    )
    child = _start_child()
    try:
        yield SimulatorClient(_greet(child, started))
    finally:
        _stop(child)


def _start_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def run_child() -> None:
    """Run the child: options on stdin, one JSON line with the URL or error on stdout, end when stdin closes."""
    options = SimulatorOptions.read(orjson.loads(sys.stdin.buffer.readline()))
    try:
        listener = _listen("127.0.0.1", options.port)
        uvloop.run(_serve(options, listener, lambda client: _tell({"url": client.url}), ends_with=sys.stdin.fileno()))
    except ConfigurationError as error:
        _tell({"error": str(error)})


async def _serve(
    options: SimulatorOptions,
    listener: socket.socket,
    announce: Callable[[SimulatorClient], None],
    ends_with: int | None = None,
) -> None:
    """Serve until a signal, or until the other end of the pipe `ends_with` is closed."""
    host, port = listener.getsockname()[:2]
    center = PlanningCenter(options, f"http://{host}:{port}")
    control = Control(center)
    Courier(center.switchboard, center.churches)

    def handle(request: HttpRequest) -> Answer:
        return control.answer(request) if request.target.startswith(PREFIX) else center.answer(request)

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if ends_with is not None:
        loop.add_reader(ends_with, stopped.set)
    server = await loop.create_server(lambda: HttpProtocol(handle, center.clock), sock=listener, backlog=512)
    announce(SimulatorClient(f"http://{host}:{port}"))
    await stopped.wait()
    server.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        raise ConfigurationError(f"the simulator cannot listen on {host}:{port}: {error.strerror}") from error


def _greet(child: subprocess.Popen[bytes], options: SimulatorOptions) -> str:
    """Send the child its options and return its URL."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child needs pipes")
    child.stdin.write(orjson.dumps(options.written()) + b"\n")
    child.stdin.flush()
    line = child.stdout.readline()
    answer = orjson.loads(line) if line else {"error": "the simulator ended before it started serving; see its stderr"}
    if "error" in answer:
        raise ConfigurationError(answer["error"])
    return str(answer["url"])


def _stop(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _tell(answer: dict[str, str]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


def _org_id(seed: int, number: int) -> str:
    """A TypeID made from the seed, in the form of the time-ordered ones."""
    raw = bytearray(hashlib.blake2b(f"{seed}.{number}".encode(), digest_size=16).digest())
    raw[:2] = b"\x01\x90"
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    uuid: Any = UUID(bytes=bytes(raw))  # the library declares another UUID class but accepts this one
    return str(TypeID.from_uuid(uuid, "org"))
