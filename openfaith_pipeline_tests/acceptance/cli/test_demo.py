"""`demo`: two churches from nothing, and again."""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from openfaith_pipeline.cli.demo_churches import is_answering, load_demo
from openfaith_pipeline.cli.demo_running import demo_answers
from openfaith_pipeline.database import open_database
from openfaith_pipeline.settings import Settings
from openfaith_pipeline_tests.acceptance.cli.conftest import DEMO
from openfaith_pipeline_tests.verbs import Outcome, Verbs
from openfaith_pipeline_tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


def test_two_churches_are_synced_through_dagster_and_their_data_stays(demo: Outcome, verb: Verbs) -> None:
    assert demo.code == 0, demo.err
    orgs = demo.document["orgs"]
    assert [len(org["streams"]) > 10 for org in orgs.values()] == [True, True]
    rows = {org_id: org["streams"]["people.people"]["row_count"] for org_id, org in orgs.items()}
    assert sorted(rows.values()) == [8, 20]

    with psycopg.connect(verb("db", "url").out.strip()) as connection:
        synced = connection.execute('SELECT "orgId", count(*) FROM openfaith_people GROUP BY 1').fetchall()
        runs = connection.execute("SELECT run_id FROM dagster.runs WHERE status = 'SUCCESS'").fetchall()
    assert dict(synced) == rows
    assert {org["run_id"] for org in orgs.values()} <= {run_id for (run_id,) in runs}


def test_the_readme_queries_answer(demo: Outcome, verb: Verbs) -> None:
    assert demo.code == 0
    readme = Path(__file__).parents[3] / "README.md"
    queries = [block.split("```")[0] for block in readme.read_text().split("```sql\n")[1:]]

    with psycopg.connect(verb("db", "url").out.strip()) as connection:
        assert [bool(connection.execute(query).fetchall()) for query in queries] == [True] * 4


def test_a_second_demo_finds_everything_unchanged_and_says_so_in_a_few_lines(demo: Outcome, verb: Verbs) -> None:
    assert demo.code == 0
    again = verb(*DEMO[:-1])

    assert again.code == 0, again.err
    endings = [line for line in again.out.splitlines() if ": succeeded: " in line]
    assert [", nothing new; " in ending for ending in endings] == [True, True]
    assert [f" {people} people" in again.out for people in (20, 8)] == [True, True]
    assert "openfaith-pipeline dev" in again.out
    assert len((again.out + again.err).splitlines()) < 60


def test_a_verb_that_reads_from_a_made_up_church_has_the_simulator_answer_and_says_so(
    demo: Outcome, verb: Verbs, demo_home: Path
) -> None:
    org_id = min(demo.document["orgs"])
    churches = load_demo(Settings(home=demo_home))
    assert churches is not None
    assert not is_answering(churches)

    with socket.socket() as taken:  # its port is another program's now
        taken.bind(("127.0.0.1", churches.port))
        taken.listen()
        synced = verb("sync", org_id, "--stream", "people.emails", "--json")
    placed = load_demo(Settings(home=demo_home))

    assert synced.code == 0, synced.err
    assert synced.document["orgs"][org_id]["streams"]["people.emails"]["status"] == "succeeded"
    assert placed is not None
    assert placed.port != churches.port
    assert f"a simulated Planning Center answers for it at {placed.url} until this is done" in synced.err
    assert not is_answering(placed)

    verified = verb("verify", org_id, "--stream", "people.emails")
    assert verified.code == 0, verified.err
    assert f"answers for it at {placed.url}" in verified.err

    subscribed = verb("webhooks", "subscribe", org_id, OPENFAITH_PUBLIC_URL="http://127.0.0.1:9")
    assert subscribed.code == 0, subscribed.err
    assert f"answers for it at {placed.url}" in subscribed.err
    ended = verb("webhooks", "unsubscribe", org_id)
    assert f"answers for it at {placed.url}" in ended.err


def test_a_backfill_that_is_watched_has_the_simulator_answer(demo: Outcome, verb: Verbs, demo_home: Path) -> None:
    """No daemon runs here: it is interrupted while its runs wait, and the simulator goes with it."""
    watching = verb.start("backfill", min(demo.document["orgs"]), "--stream", "people.emails", "--name", "watched")
    churches = load_demo(Settings(home=demo_home))
    assert churches is not None
    assert watching.stderr is not None
    assert any(f"answers for it at {churches.url}" in line for line in watching.stderr)
    assert is_answering(churches)
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 130, err
    wait_until(lambda: not is_answering(churches), "the simulator is gone")


def test_a_simulator_is_stopped_when_the_last_verb_that_reads_from_it_has_ended(demo: Outcome, demo_home: Path) -> None:
    org_id = min(demo.document["orgs"])
    settings = Settings(home=demo_home)
    with open_database(settings) as database, ExitStack() as first, ExitStack() as second:
        first.enter_context(demo_answers(database, [org_id]))
        second.enter_context(demo_answers(database, [org_id]))
        ending = Thread(target=first.close)
        ending.start()
        ending.join(1)
        assert ending.is_alive()
        assert is_answering(load_demo(settings) or pytest.fail("no demo"))
        second.close()
        ending.join(30)
        assert not is_answering(load_demo(settings) or pytest.fail("no demo"))
        with demo_answers(database, []):
            assert not is_answering(load_demo(settings) or pytest.fail("no demo"))
