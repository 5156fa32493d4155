"""`simulator`: a local Planning Center."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.simulator import (
    ChurchSpec,
    Faults,
    Latency,
    RateLimit,
    SimulatorOptions,
    made_up_churches,
    serve,
)

REALISTIC_LATENCY = Latency(base_ms=40, per_row_ms=6)

People = Annotated[
    list[int] | None,
    typer.Option("--people", min=1, help="A church with this many people; repeat for more churches."),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the made-up data.")]
Limit = Annotated[str, typer.Option("--rate-limit", metavar="N/SECONDS", help="Requests per time, or `none`.")]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        formats=["%Y-%m-%d"],
        metavar="DAY",
        help="Make records up to this day, growing, with seasons and weekly meetings; by default evenly up to 2026.",
    ),
]
Newcomers = Annotated[
    int, typer.Option("--newcomers", min=0, help="Let so many people join each church's first list afterwards.")
]
IsSlow = Annotated[bool, typer.Option("--latency", help="Answer about as slowly as Planning Center.")]
FaultRate = Annotated[float, typer.Option("--faults", min=0, max=1, help="Share of requests with a fault.")]


def simulate(  # noqa: PLR0913, PLR0917 - the verb's options
    people: People = None,
    port: Port = 0,
    seed: Seed = 1,
    until: Until = None,
    newcomers: Newcomers = 0,
    rate_limit: Limit = "100/20",
    latency: IsSlow = False,
    faults: FaultRate = 0.0,
    as_json: terminal.JsonOption = False,
) -> None:
    """Run a Planning Center with made-up churches on this machine, until Ctrl-C.

    The same seed, sizes and day make the same churches, people and tokens each time.

    Examples:
      openfaith-pipeline simulator
      openfaith-pipeline simulator --people 250 --people 120 --port 3030 --faults 0.05

    Exit codes: 0 stopped; 2 the port is in use, or wrong usage.
    """
    last = int(until.replace(tzinfo=UTC).timestamp()) if until else None
    options = SimulatorOptions(
        churches=churches_of(people or [50], seed, until=last, newcomers=newcomers),
        rate_limit=read_limit(rate_limit),
        latency=REALISTIC_LATENCY if latency else Latency(),
        faults=Faults.evenly(faults, seed=seed),
        port=port,
    )
    serve(options, lambda simulator: _announce(simulator.url, options.churches, as_json=as_json))


def churches_of(
    sizes: Sequence[int], seed: int, *, until: int | None = None, newcomers: int = 0
) -> tuple[ChurchSpec, ...]:
    """Made-up churches of these sizes; the same ones for the same arguments. until, newcomers: as in ChurchSpec."""
    churches = made_up_churches(len(sizes), people=1, seed=seed)
    return tuple(
        replace(church, people=size, until=until, newcomers=newcomers)
        for church, size in zip(churches, sizes, strict=True)
    )


def _announce(url: str, churches: Sequence[ChurchSpec], *, as_json: bool) -> None:
    if as_json:
        described = [
            {"org_id": church.org_id, "name": church.name, "people": church.people, **church.credentials._asdict()}
            for church in churches
        ]
        terminal.print_json({"url": url, "churches": described})
        return
    rows = [[church.name, f"{church.people:,}", church.org_id, *church.credentials] for church in churches]
    columns = ("church", "people", "org id", "app id", "secret")
    out = terminal.output()
    out.print(f"Planning Center, simulated, at {url} (Ctrl-C stops it)")
    out.print(terminal.table(columns, rows, numbers=("people",)))
    first = churches[0]
    connect = f"org add {first.org_id} --app-id {first.credentials.app_id} --api-url {url} --secret-stdin"
    terminal.say(f"connect one: echo {first.credentials.secret} | openfaith-pipeline {connect}")


def read_limit(written: str) -> RateLimit | None:
    """Parse `100/20` or `none`; UsageError for anything else."""
    if written == "none":
        return None
    parts = re.fullmatch(r"(\d+)/(\d+(?:\.\d+)?)", written)
    if not parts or not int(parts[1]) or not float(parts[2]):
        raise UsageError(f"--rate-limit {written!r} is invalid: give requests/seconds, such as 100/20, or none")
    return RateLimit(int(parts[1]), float(parts[2]))
