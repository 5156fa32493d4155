"""`org`: connecting a church and letting it go."""

import pytest

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


@pytest.mark.parametrize(
    ("arguments", "stdin", "mend"),
    [
        (("org", "add", "church-7", "--app-id", "x", "--secret-stdin", "--no-verify"), "s\n", "org add new"),
        (("org", "add", NOBODY, "--app-id", "x", "--secret-stdin", "--no-verify"), "", "secret is empty"),
        (("org", "add", NOBODY, "--app-id", "x", "--no-verify"), "s\n", "--secret-stdin"),
        (("org", "add", NOBODY, "--secret-stdin"), "s\n", "--app-id"),
        (("org", "pause", NOBODY), "", "org list"),
        (("org", "remove", NOBODY, "--yes"), "", "org list"),
        (("sync", NOBODY), "", "org list"),
        (("status", NOBODY), "", "org list"),
    ],
    ids=["no org id", "no secret", "no terminal", "no app id", "pause nobody", "remove nobody", "sync", "status"],
)
def test_wrong_usage_says_what_to_do(verb: Verbs, arguments: tuple[str, ...], stdin: str, mend: str) -> None:
    outcome = verb(*arguments, stdin=stdin)

    assert (outcome.code, outcome.out) == (2, "")
    assert mend in outcome.err
