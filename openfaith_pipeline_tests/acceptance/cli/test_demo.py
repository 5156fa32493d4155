"""`demo`: two churches from nothing, and again."""

from pathlib import Path

import psycopg
import pytest

from openfaith_pipeline_tests.acceptance.cli.conftest import DEMO
from openfaith_pipeline_tests.verbs import Outcome, Verbs

pytestmark = pytest.mark.slow


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
