"""A restore does not bring back who was erased since the backup was made."""

from pathlib import Path

import pytest

from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.backup.dumping import write_backup
from openfaith_pipeline.database.backup.restoring import Restored, restore_backup
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import ConfigurationError, DatabaseUnavailable
from openfaith_pipeline.privacy.erasing_anew import ErasedAnew, erase_anew
from openfaith_pipeline.privacy.marks import lift, list_erasures
from openfaith_pipeline.privacy.org_erasure import erase_org
from openfaith_pipeline.privacy.person_erasure import erase_person
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline_tests.integration.privacy.conftest import Prepared
from openfaith_pipeline_tests.integration.privacy.planting import (
    CHOSEN,
    OTHERS,
    PLANTED,
    bring,
    files_with,
    found_in_tables,
)
from openfaith_pipeline_tests.integration.privacy.test_person_erasure import check_what_stays
from openfaith_pipeline_tests.integration.sync.church import differences


def _back_up(database: Database, path: Path) -> Path:
    write_backup(database, path, key_prints=(), sealed_key=None, progress=lambda _: None)
    return path


def _restore(database: Database, path: Path) -> ErasedAnew:
    done: list[ErasedAnew] = []

    def again(restored: Database) -> None:
        done.append(erase_anew(restored, lambda _: None))

    assert isinstance(
        restore_backup(database, path, replaces=True, progress=lambda _: None, erase_anew=again), Restored
    )
    return done[0]


def test_the_erased_since_are_erased_again(churches: Prepared, postgres: RunningServer, tmp_path: Path) -> None:
    database, org_id, other, planted = churches.database, churches.org_id, churches.other, churches.planted
    path = _back_up(database, tmp_path / "one.backup")
    first = erase_person(database, org_id, planted["person"], "somebody")
    erase_org(database, other, "somebody else")

    done = _restore(database, path)

    assert (done.erasures, done.orgs, done.of_other_key) == (1, [other], [])
    assert found_in_tables(database, org_id, PLANTED) == []
    assert found_in_tables(database, other, other) == ["sync.erasures"]
    assert [files_with(postgres, database, text) for text in (PLANTED, OTHERS)] == [[], []]
    assert {**done.counts[org_id], "dagster.event_logs": 0} == {**first.counts, "dagster.event_logs": 0}
    check_what_stays(database, org_id, planted)
    bring(database, org_id, SyncMode.FULL_REFRESH)
    assert found_in_tables(database, org_id, PLANTED) == []
    with database.connect() as connection:
        assert [each.erased_by for each in list_erasures(connection, None)] == ["somebody", "somebody else"]
        assert len(lift(connection, org_id, planted["person"], "somebody")) == 1
    bring(database, org_id, SyncMode.FULL_REFRESH)
    assert differences(database, churches.simulator, org_id, CHOSEN) == []


def test_an_interrupted_restore_is_closed_until_it_is_made_again(church: Prepared, tmp_path: Path) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    erase_person(database, org_id, planted["author"], "somebody")
    path = _back_up(database, tmp_path / "one.backup")
    erase_person(database, org_id, planted["person"], "somebody")

    def die(_: Database) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        restore_backup(database, path, replaces=True, progress=lambda _: None, erase_anew=die)
    assert "pco_people.people" in found_in_tables(database, org_id, PLANTED)
    for upgrade in (None, True):
        with (
            pytest.raises(ConfigurationError, match="a restore was interrupted"),
            open_database(database.settings, upgrade=upgrade),
        ):
            pass
    with pytest.raises(ConfigurationError, match="a restore was interrupted"):
        _back_up(database, tmp_path / "of people erased.backup")
    with (
        database.connect() as connection
    ):  # as if it was interrupted before the tables of an older backup were upgraded
        connection.execute("ALTER TABLE sync.erasures DROP COLUMN unreclaimed")

    assert _restore(database, path).erasures == 1

    assert found_in_tables(database, org_id, PLANTED) == []
    with open_database(database.settings):
        pass


def test_who_was_lifted_since_stays_lifted(church: Prepared, tmp_path: Path) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    erase_person(database, org_id, planted["person"], "somebody")
    path = _back_up(database, tmp_path / "one.backup")
    with database.connect() as connection:
        lift(connection, org_id, planted["person"], "somebody")

    assert _restore(database, path) == ErasedAnew(has_marks=True)

    bring(database, org_id, SyncMode.FULL_REFRESH)
    assert differences(database, church.simulator, org_id, CHOSEN) == []


def test_marks_of_another_key_are_made_anew_for_all_that_the_backup_knows(church: Prepared, tmp_path: Path) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    without_marks = _back_up(database, tmp_path / "without marks.backup")
    erase_person(database, org_id, planted["author"], "somebody")
    of_first_key = _back_up(database, tmp_path / "of the first key.backup")
    with database.connect() as connection:
        connection.execute("DELETE FROM sync.erasures")
        connection.execute("DELETE FROM sync.erasure_salts")
    _restore(database, without_marks)
    erase_person(database, org_id, planted["person"], "somebody")

    done = _restore(database, of_first_key)

    assert (done.erasures, done.of_other_key) == (1, [org_id])
    assert found_in_tables(database, org_id, PLANTED) == []
    bring(database, org_id, SyncMode.FULL_REFRESH)
    assert found_in_tables(database, org_id, PLANTED) == []


def test_nothing_is_replaced_where_the_marks_cannot_be_read(church: Prepared, tmp_path: Path) -> None:
    database, org_id, planted = church.database, church.org_id, church.planted
    path = _back_up(database, tmp_path / "one.backup")
    erase_person(database, org_id, planted["person"], "somebody")
    with database.connect() as connection:
        connection.execute("ALTER TABLE sync.erasure_salts DROP COLUMN salt")
    with pytest.raises(DatabaseUnavailable, match=r"cannot be read.*Restore into an empty database"):
        _restore(database, path)
    assert found_in_tables(database, org_id, PLANTED) == []
