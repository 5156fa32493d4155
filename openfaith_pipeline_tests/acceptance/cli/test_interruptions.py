"""A sync that is interrupted says so and exits as it should, and the next one completes."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfaith_pipeline.simulator import Latency, Script, SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.verbs import Verbs
from openfaith_pipeline_tests.waiting import wait_until

pytestmark = pytest.mark.slow

CHURCH = made_up_churches(1, people=150)[0]
ORG = CHURCH.org_id
STREAMS = ("--stream", "people.people", "--stream", "people.emails", "--stream", "people.field_data")
SLOWLY = Latency(base_ms=1500)


@pytest.fixture
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([CHURCH], latency=SLOWLY) as client:
        yield client


@pytest.fixture
def verb(environment: dict[str, str], simulator: SimulatorClient) -> Verbs:
    """The command line on a database of the test's own, with the church connected."""
    return connected(Verbs(environment), simulator)


@pytest.fixture
def embedded_verb(open_directory: Path, simulator: SimulatorClient) -> Iterator[Verbs]:
    """The same on an embedded Postgres of the test's own, which it may stop."""
    verb = Verbs({"OPENFAITH_HOME": str(open_directory / "interrupted")})
    yield connected(verb, simulator)
    verb("db", "stop")


def connected(verb: Verbs, simulator: SimulatorClient) -> Verbs:
    options = ("--app-id", CHURCH.credentials.app_id, "--secret-stdin", "--no-verify", "--api-url", simulator.url)
    assert verb("org", "add", ORG, *options, stdin=f"{CHURCH.credentials.secret}\n").code == 0
    return verb


def start_sync(verb: Verbs, simulator: SimulatorClient) -> "subprocess.Popen[str]":
    """Start a sync and let it come to its first pages."""
    simulator.forget_requests()
    process = verb.start("sync", ORG, *STREAMS, "--json")
    wait_until(lambda: len(simulator.requests(stream="people.people")) > 0, "the first page is asked for")
    return process


def assert_the_next_sync_completes(verb: Verbs, simulator: SimulatorClient, sync_id: str | None = None) -> None:
    """sync_id: of the sync that it is to go on with."""
    simulator.set_latency(Latency())
    synced = verb("sync", ORG, *STREAMS, "--json")
    assert synced.code == 0, synced.err
    assert sync_id is None or synced.document["sync_id"] == sync_id
    assert sync_id is None or f"going on with sync {sync_id}, which was interrupted" in synced.err
    results = synced.document["orgs"][ORG]["streams"]
    for name in ("people.people", "people.emails", "people.field_data"):
        assert results[name]["row_count"] == len(simulator.truth(ORG, name))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sync_that_is_interrupted_ends_at_once(
    verb: Verbs, simulator: SimulatorClient, number: signal.Signals
) -> None:
    process = start_sync(verb, simulator)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the same command continues from there" in err
    interrupted = json.loads(out)
    assert interrupted["orgs"][ORG]["status"] == "interrupted"
    [listed, *_] = verb("syncs", "list", "--failing", "--json").document
    assert (listed["sync_id"], listed["status"]) == (interrupted["sync_id"], "interrupted")
    assert_the_next_sync_completes(verb, simulator, interrupted["sync_id"])
    assert verb("syncs", "list", "--failing", "--json").document == []


def test_a_database_that_goes_away_in_the_middle_is_said_so(embedded_verb: Verbs, simulator: SimulatorClient) -> None:
    process = start_sync(embedded_verb, simulator)
    assert embedded_verb("db", "stop").code == 0
    out, err = process.communicate(timeout=240)

    assert process.returncode == 1
    assert "Postgres" in err
    assert "Traceback" not in err + out
    assert_the_next_sync_completes(embedded_verb, simulator)


def test_a_killed_sync_is_taken_up_by_the_next(verb: Verbs, simulator: SimulatorClient) -> None:
    # Another stream is tried again and again meanwhile, so that a busy machine does not find the sync over.
    simulator.script(Script("bad_gateway", stream="people.field_data", times=None))
    process = start_sync(verb, simulator)
    wait_until(lambda: "people.people" in _done(verb), "a stream is done")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    simulator.clear_scripts()
    simulator.forget_requests()

    [killed] = verb("syncs", "list", "--json").document
    assert_the_next_sync_completes(verb, simulator, killed["sync_id"])
    assert simulator.requests(stream="people.people") == []


def _done(verb: Verbs) -> set[str]:
    """The streams that the one sync has finished."""
    for sync in verb("syncs", "list", "--json").document:
        streams = verb("syncs", "show", sync["sync_id"], "--json").document["orgs"].get(ORG, {})
        return {name for name, stream in streams.items() if stream["status"] == "succeeded"}
    return set()
