"""`org`: connecting a church and letting it go."""

import time

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.simulator import ChurchSpec, SimulatorClient
from openfaith_pipeline_tests.integration.cli.conftest import connect
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

NOBODY = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"


def test_a_church_is_verified_connected_paused_resumed_and_removed(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    token = ("--app-id", church.credentials.app_id, "--secret-stdin")
    added = verb(
        "org", "add", "new", *token, "--api-url", simulator.url, "--json", stdin=f"{church.credentials.secret}\n"
    )
    assert added.code == 0, added.err
    org_id, name = added.document["org_id"], added.document["name"]
    assert added.document["organization"] == {"id": str(church.organization_id), "name": name}

    assert verb("org", "pause", org_id).out == f"paused {org_id} ({name})\n"
    assert verb("org", "list", "--json").document[0]["paused_at"]
    paused = verb("sync", org_id)
    assert (paused.code, "org resume" in paused.err) == (2, True)
    everyone = verb("sync", "--all")
    assert (everyone.code, "no church is connected and not paused" in everyone.err) == (2, True)

    assert verb("org", "resume", org_id, "--json").document["paused_at"] is None
    assert verb("org", "remove", org_id, stdin="n\n").code == 1
    assert verb("org", "remove", org_id, stdin="y\n").code == 0
    assert verb("org", "list", "--json").document == []


def test_a_wrong_token_is_refused_and_nothing_is_kept_of_it(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    wrong = ("org", "add", church.org_id, "--app-id", church.credentials.app_id, "--api-url", simulator.url)
    refused = verb(*wrong, "--secret-stdin", "--json", stdin="not-the-secret\n")

    assert refused.code == 1
    assert f"{simulator.url} refuses the token" in refused.err
    assert refused.document["error"]["type"] == "ConnectionRejected"
    assert "not-the-secret" not in refused.err + refused.out
    assert verb("org", "list", "--json").document == []


def test_an_api_that_does_not_answer_is_said_so(verb: Verbs, church: ChurchSpec) -> None:
    unreachable = verb(
        "org", "add", church.org_id, "--app-id", "x", "--secret-stdin", "--api-url", "http://127.0.0.1:9", stdin="y\n"
    )

    assert unreachable.code == 1
    assert "Planning Center does not answer at http://127.0.0.1:9" in unreachable.err


def test_adding_again_replaces_the_token(verb: Verbs, church: ChurchSpec, simulator: SimulatorClient) -> None:
    connect(verb, church, simulator.url, "--no-verify", secret="wrong")
    connect(verb, church, simulator.url, "--name", "Ours")

    assert [org["name"] for org in verb("org", "list", "--json").document] == ["Ours"]
    assert verb("sync", church.org_id, "--stream", "people.tabs").code == 0


def test_one_token_is_one_church_however_often_it_is_added(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient
) -> None:
    new = ("org", "add", "new", "--app-id", church.credentials.app_id, "--secret-stdin", "--api-url", simulator.url)
    secret = f"{church.credentials.secret}\n"
    org_id = verb(*new, "--json", stdin=secret).document["org_id"]
    again = verb(*new, stdin=secret)
    assert f"{org_id} was already known" in again.err
    assert again.out.startswith(f"connected {org_id} ")

    verb("org", "remove", org_id, "--yes")
    back = verb(*new, "--json", stdin=secret)
    assert back.document["org_id"] == org_id
    assert [org["org_id"] for org in verb("org", "list", "--json").document] == [org_id]
    other = verb(*(church.org_id if each == "new" else each for each in new), stdin=secret)
    assert (other.code, f"the same church is also connected as {org_id}" in other.err) == (0, True)


def test_an_api_from_the_environment_is_kept_with_the_church(
    verb: Verbs, church: ChurchSpec, simulator: SimulatorClient, database: Database
) -> None:
    new = ("org", "add", "new", "--app-id", church.credentials.app_id, "--secret-stdin")
    secret = f"{church.credentials.secret}\n"
    added = verb(*new, stdin=secret, PCO_API_URL=simulator.url)
    assert f"its API is {simulator.url} from now on, whatever the environment says later" in added.err
    [org] = verb("org", "list", "--json").document
    assert verb("sync", org["org_id"], "--stream", "people.tabs", PCO_API_URL="http://127.0.0.1:9").code == 0
    with database.connect() as connection:  # as an earlier version left it
        connection.execute("UPDATE sync.source_connections SET api_url = NULL")
    again = verb(*new, "--json", stdin=secret, PCO_API_URL=simulator.url)
    assert again.document["org_id"] == org["org_id"]
    named = verb(*new, "--api-url", simulator.url, stdin=secret)
    assert (f"{org['org_id']} was already known" in named.err, "its API is" in named.err) == (True, False)


def test_a_sync_of_a_church_that_is_removed_meanwhile_says_so(
    verb: Verbs, connected: str, simulator: SimulatorClient
) -> None:
    before = simulator.stats()["requests"]
    with verb.start("sync", connected, "--product", "calendar", "--product", "people", "--json") as syncing:
        while simulator.stats()["requests"] < before + 3:
            time.sleep(0.02)
        assert verb("org", "remove", connected, "--yes").code == 0
        out, err = syncing.communicate(timeout=100)
    assert syncing.returncode in (1, 2), err
    assert f"{connected} was removed (org remove) at" in err
    assert "was removed" in out


def test_removing_ends_the_webhooks_first_and_names_those_left(
    verb: Verbs, connected: str, environment: dict[str, str], simulator: SimulatorClient
) -> None:
    public = Verbs({**environment, "OPENFAITH_PUBLIC_URL": "http://127.0.0.1:9 "})
    number = len(public("webhooks", "subscribe", connected, "--json").document[0]["added"])
    urls = {row["attributes"]["url"] for row in simulator.truth(connected, "webhooks.webhook_subscriptions")}
    assert f"http://127.0.0.1:9/api/webhooks/pco/{connected}" in urls
    removed = verb("org", "remove", connected, "--yes", "--json")
    assert removed.code == 0, removed.err
    assert removed.document["webhooks"] == {"ended": number, "left": [], "problem": None}
    assert f"deleting {number} webhook subscriptions" in removed.err
    gone = verb("sync", connected)
    assert (gone.code, f"{connected} was removed (org remove) at" in gone.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "stdin", "mend"),
    [
        (
            ("org", "add", "not an id", "--app-id", "x", "--secret-stdin", "--api-url", "http://127.0.0.1:9"),
            "s\n",
            "org_",
        ),
        (
            ("org", "add", NOBODY, "--app-id", "x", "--secret-stdin", "--api-url", "http://a b", "--no-verify"),
            "s\n",
            "URL",
        ),
        (("org", "add", "church-7", "--app-id", "x", "--secret-stdin", "--no-verify"), "s\n", "org add new"),
        (("org", "add", NOBODY, "--app-id", "x", "--secret-stdin", "--no-verify"), "", "secret is empty"),
        (("org", "add", NOBODY, "--app-id", "x", "--no-verify"), "s\n", "--secret-stdin"),
        (("org", "add", NOBODY, "--secret-stdin"), "s\n", "--app-id"),
        (("org", "pause", NOBODY), "", "org list"),
        (("org", "remove", NOBODY, "--yes"), "", "org list"),
        (("sync", NOBODY), "", "org list"),
        (("status", NOBODY), "", "org list"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_wrong_usage_names_the_remedy(verb: Verbs, arguments: tuple[str, ...], stdin: str, mend: str) -> None:
    outcome = verb(*arguments, stdin=stdin)

    assert (outcome.code, outcome.out) == (2, "")
    assert mend in outcome.err
