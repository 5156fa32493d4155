"""`sync` and `status` as a user runs them: output and exit codes. After each failure the next sync succeeds."""

import pytest

from openfaith_pipeline.simulator import ChurchSpec, Script, SimulatorClient
from openfaith_pipeline.simulator.options import Traps
from openfaith_pipeline_tests.integration.cli.conftest import connect
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow


def test_a_sync_ends_with_its_results(verb: Verbs, connected: str, simulator: SimulatorClient) -> None:
    synced = verb("sync", connected, "--stream", "people.campuses", "--stream", "people.emails", "--json")

    assert synced.code == 0, synced.err
    assert set(synced.document) == {"sync_id", "run_id", "orgs"}
    org = synced.document["orgs"][connected]
    assert (org["status"], org["run_id"]) == ("succeeded", synced.document["run_id"])
    assert set(org["streams"]) == {"people.campuses", "people.emails"}
    emails = org["streams"]["people.emails"]
    there = len(simulator.truth(connected, "people.emails"))
    assert (emails["status"], emails["mode"], emails["fetched"], emails["inserted"]) == (
        "succeeded",
        "incremental",
        there,
        there,
    )
    # A sync that takes long says how far it is, too.
    assert synced.err.startswith(f"sync {synced.document['sync_id']}\n")

    status = verb("status", connected, "--json").document
    assert status["streams"]["people.emails"]["row_count"] == there
    assert status["connection"] == {"state": "connected", "reason": None, "withheld": []}
    shown = verb("status")
    assert connected in shown.out
    assert str(there) in verb("status", connected).out


def test_a_second_sync_finds_nothing_new(verb: Verbs, connected: str) -> None:
    verb("sync", connected, "--stream", "people.tabs")
    again = verb("sync", connected, "--stream", "people.tabs", "--mode", "reconcile", "--json").document

    tabs = again["orgs"][connected]["streams"]["people.tabs"]
    assert (tabs["mode"], tabs["inserted"], tabs["updated"], tabs["unchanged"]) == ("reconcile", 0, 0, tabs["fetched"])


def test_silence_of_a_product_is_shown_and_is_no_failure(
    verb: Verbs, connected: str, simulator: SimulatorClient
) -> None:
    name = "groups.tag_groups"
    assert verb("sync", connected, "--stream", name).code == 0
    rows = verb("status", connected, "--json").document["streams"][name]["row_count"]
    simulator.set_traps(connected, Traps(silent_products=("groups",)))
    try:
        silent = verb("sync", connected, "--stream", name, "--mode", "reconcile", "--json")
        plain = verb("sync", connected, "--stream", name)
    finally:
        simulator.set_traps(connected, Traps())

    assert (silent.code, plain.code) == (0, 0), silent.err + plain.err
    org = silent.document["orgs"][connected]
    assert (org["status"], org["streams"][name]["status"]) == ("succeeded", "withheld")
    assert f"{name} is withheld" in silent.err and f"{name} is withheld" in plain.err
    status = verb("status", connected, "--json").document
    told = status["streams"][name]
    assert rows and (told["status"], told["availability"], told["row_count"]) == ("withheld", "withheld", rows)
    assert "may not be read" in told["availability_reason"]
    assert status["connection"]["state"] == "degraded"
    assert "withheld" in verb("status", connected).out

    assert verb("sync", connected, "--stream", name, "--mode", "reconcile").code == 0
    status = verb("status", connected, "--json").document
    assert (status["streams"][name]["status"], status["connection"]["state"]) == ("succeeded", "connected")


def test_a_quick_sync_reads_the_cheap_streams_and_brings_their_changes(
    verb: Verbs, connected: str, simulator: SimulatorClient
) -> None:
    assert verb("sync", connected, "--quick").code == 0
    simulator.edit(connected, "people.people", attributes={"nickname": "Quick"})
    simulator.forget_requests()
    quick = verb("sync", connected, "--quick", "--json")

    assert quick.code == 0, quick.err
    streams = quick.document["orgs"][connected]["streams"]
    assert streams["people.people"]["updated"] == 1
    assert {name: each["requests"] for name, each in streams.items() if each["requests"] > 1} == {}
    assert "services.plans" not in streams  # is listed under each service type

    both = verb("sync", connected, "--quick", "--mode", "reconcile")
    assert (both.code, "--quick chooses the streams itself" in both.err) == (2, True)


def test_a_wrong_token_fails_the_sync_and_the_right_one_mends_it(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    connect(verb, church, simulator.url, "--no-verify", secret="not-the-secret")
    refused = verb("sync", church.org_id, "--stream", "people.tabs", "--json")

    assert refused.code == 1
    assert refused.document["orgs"][church.org_id]["status"] == "failed"
    assert church.org_id in refused.err
    assert "not-the-secret" not in refused.err + refused.out
    assert verb("status", church.org_id, "--json").document["connection"]["state"] == "needs_reconnect"

    connect(verb, church, simulator.url)
    assert verb("sync", church.org_id, "--stream", "people.tabs").code == 0
    assert verb("status", church.org_id, "--json").document["connection"]["state"] == "connected"


def test_a_token_that_dies_under_every_stream_is_reported_in_a_sentence(
    verb: Verbs, connected: str, simulator: SimulatorClient
) -> None:
    """No verb may print a traceback: many requests of one sync fail together, some after it has ended."""
    simulator.script(Script("unauthorized", times=None))
    try:
        refused = verb("sync", connected, "--verbose")
    finally:
        simulator.clear_scripts()

    assert refused.code == 1
    assert "Planning Center refuses these credentials" in refused.err


def test_an_unreachable_api_fails_the_sync_at_once(verb: Verbs, church: ChurchSpec, simulator: SimulatorClient) -> None:
    connect(verb, church, "http://127.0.0.1:9", "--no-verify")
    unreachable = verb("sync", church.org_id, "--json", seconds=30)

    assert unreachable.code == 1
    assert "Planning Center does not answer at http://127.0.0.1:9" in unreachable.document["error"]["message"]

    connect(verb, church, simulator.url)
    assert verb("sync", church.org_id, "--stream", "people.tabs").code == 0


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (("--stream", "people.email"), "did you mean people.emails?"),
        (("--stream", "nonsense"), "openfaith-pipeline catalog"),
        (("--product", "parking"), "'people'"),
        (("--mode", "sideways"), "'reconcile'"),
        (("--within", "3d"), "--within goes with --rolling"),
        (("--mode", "reconcile", "--rolling", "--plan"), "--rolling goes with --mode reconcile and chooses"),
        (("--all",), "name the orgs to sync, or pass --all"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    verb: Verbs, church: ChurchSpec, arguments: tuple[str, ...], mend: str
) -> None:
    outcome = verb("sync", church.org_id, *arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert mend in outcome.err


def test_no_org_is_no_sync(verb: Verbs) -> None:
    outcome = verb("sync")

    assert (outcome.code, "name the orgs to sync" in outcome.err) == (2, True)
