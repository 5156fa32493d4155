"""Erasures that are killed (SIGKILL): everything is as before, or gone, and a repetition finishes the rest."""

import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from openfaith_pipeline.database import Database, open_database, reclaiming
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.doctor.server import examine_erasures
from openfaith_pipeline.privacy.marks import list_erasures
from openfaith_pipeline.privacy.org_erasure import erase_org, foresee_org_erasure
from openfaith_pipeline.privacy.person_erasure import erase_person, foresee_person_erasure
from openfaith_pipeline.privacy.unreclaimed import finish_erasures, unfinished_erasures
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline_tests.forking import fork
from openfaith_pipeline_tests.integration.privacy.conftest import Prepared, both_prepared, churches, template
from openfaith_pipeline_tests.integration.privacy.planting import (
    OTHERS,
    PLANTED,
    files_with,
    found_in_tables,
)
from openfaith_pipeline_tests.verbs import Verbs

__all__ = ["both_prepared", "churches", "template"]

pytestmark = pytest.mark.slow

BEFORE = ("records to erase", "the OpenFaith tables follow", "the journal")
OF_ORG = ("pco_giving.donations", "sync.journal", "sync.orgs")
COMMITTED = "rewriting the tables"
SOME_REWRITTEN = "after the third table"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def erase_and_die(moment: str, org_id: str, person: str | None) -> None:
    """Erase a person, or else the org, and be killed at this moment."""

    def tell(message: str) -> None:
        if moment in message:
            die()

    if moment == SOME_REWRITTEN:
        reclaiming._rewrite = _dying_after(3)
    with open_database(load_settings()) as database:
        if person:
            erase_person(database, org_id, person, "somebody", tell)
        else:
            erase_org(database, org_id, "somebody", tell)


def _dying_after(number: int) -> Any:
    rewrite, seen = reclaiming._rewrite, list[Any]()

    def rewrite_some(*arguments: Any) -> None:
        if len(seen) == number:
            die()
        seen.append(arguments)
        rewrite(*arguments)

    return rewrite_some


class Killed:
    """Erasures in processes of their own, with the state of the database after each."""

    def __init__(self, database: Database, postgres: RunningServer, environment: Mapping[str, str]) -> None:
        self.database, self.postgres, self.environment = database, postgres, environment

    def at(self, moment: str, org_id: str, person: str | None = None) -> None:
        process = fork(erase_and_die, moment, org_id, person, environment=self.environment)
        assert process.wait(60) == -signal.SIGKILL, moment

    def certificates(self, org_id: str) -> list[Mapping[str, int]]:
        with self.database.connect() as connection:
            return [each.counts for each in list_erasures(connection, org_id)]

    def left(self) -> tuple[list[str], bool]:
        """The findings of `doctor`, and whether anything of the person is in a file."""
        with self.database.connect() as connection:
            named = [each.kind.name for each in examine_erasures(connection)]
        return named, bool(files_with(self.postgres, self.database, PLANTED))


def test_a_killed_erasure_is_not_made_or_is_finished_by_the_next(
    churches: Prepared, postgres: RunningServer, environment: dict[str, str]
) -> None:
    database, org_id, other, planted = churches.database, churches.org_id, churches.other, churches.planted
    person, killed, verb = planted["person"], Killed(database, postgres, environment), Verbs(environment)
    before, others = found_in_tables(database, org_id, PLANTED), found_in_tables(database, other, OTHERS)

    for moment in BEFORE:
        killed.at(moment, org_id, person)
        assert (found_in_tables(database, org_id, PLANTED), killed.certificates(org_id)) == (before, [])
        assert killed.left() == ([], True)
    foreseen = foresee_person_erasure(database, org_id, person)
    killed.at(COMMITTED, org_id, person)
    assert (found_in_tables(database, org_id, PLANTED), killed.certificates(org_id)) == ([], [foreseen.counts])
    assert killed.left() == (["erasures_unfinished"], True)

    again = verb("person", "erase", org_id, person, "--yes", "--json")
    assert (again.code, again.document["counts"]) == (0, foreseen.counts), again.err
    assert killed.left() == ([], False)
    assert killed.certificates(org_id) == [foreseen.counts]
    assert verb("person", "erase", org_id, person, "--yes").code == 2

    for moment in OF_ORG:
        killed.at(moment, org_id)
        assert killed.certificates(org_id) == [foreseen.counts]
    whole = foresee_org_erasure(database, org_id)
    killed.at(SOME_REWRITTEN, org_id)
    assert killed.certificates(org_id) == [foreseen.counts, whole.counts]
    assert found_in_tables(database, org_id, org_id) == ["sync.erasures"]
    assert killed.left()[0] == ["erasures_unfinished"]
    again = verb("org", "erase", org_id, "--yes", "--json")
    assert (again.code, again.document["counts"]) == (0, whole.counts), again.err
    assert killed.left() == ([], False)
    assert verb("org", "erase", org_id, "--yes").code == 2
    assert found_in_tables(database, other, OTHERS) == others


def test_the_daily_maintenance_rewrites_tables_that_were_in_use(
    churches: Prepared, postgres: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclaiming, "_PATIENCE", "100ms")
    monkeypatch.setattr(reclaiming, "_READERS_SECONDS", 0.5)
    database, org_id, planted = churches.database, churches.org_id, churches.planted
    with database.connect() as reader:
        reader.execute("SELECT FROM pco_people.emails")
        erase_person(database, org_id, planted["person"], "somebody")
    with database.connect() as connection:
        [(_, _, tables)] = unfinished_erasures(connection)
    assert "pco_people.emails" in tables
    finish_erasures(database)
    with database.connect() as connection:
        assert unfinished_erasures(connection) == []
    assert files_with(postgres, database, PLANTED) == []
