"""A synced church equals its source; tampering is found and named, and the suggested command repairs it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from openfaith_pipeline.audit import verification
from openfaith_pipeline.audit.looking import Looking
from openfaith_pipeline.audit.records import forget_verifications, keep_verification, newest_verifications
from openfaith_pipeline.audit.report import Verification
from openfaith_pipeline.audit.verification import Extent, verify_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.privacy.person_erasure import erase_person
from openfaith_pipeline.simulator.client import SimulatorClient
from openfaith_pipeline.simulator.server import made_up_churches, running_simulator
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline.sync.maintenance import maintain
from openfaith_pipeline.sync.results import SyncMode
from openfaith_pipeline.transform import transform_org
from openfaith_pipeline_tests.conftest import database_to_copy
from openfaith_pipeline_tests.integration.sync.church import connect, lead_to, sync
from openfaith_pipeline_tests.rates import GENEROUS

PEOPLE = STREAMS["people.people"]
CHOSEN = [
    STREAMS[name]
    for name in (
        "people.people",
        "people.emails",
        "people.phone_numbers",
        "people.households",
        "people.household_memberships",
        "people.notes",
        "people.campuses",
        "groups.groups",
        "groups.memberships",
    )
    if name in STREAMS
]
SONGS = [STREAMS[f"services.{name}"] for name in ("songs", "arrangements", "arrangement_sections")]


@dataclass(frozen=True)
class Church:
    """Two synced churches whose records share their ids; org_id is of the one that is verified."""

    database: Database
    simulator: SimulatorClient
    org_id: str
    other: str

    def verify(self, **extent: Any) -> Verification:
        return asyncio.run(verify_org(self.database, self.org_id, Extent(CHOSEN, **{"seed": 1, **extent})))

    def run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Execute a statement by hand, outside any sync. Returns its rows."""
        with self.database.connect() as connection:
            cursor = connection.execute(statement, {"org_id": self.org_id, "other": self.other, **values})
            return cursor.fetchall() if cursor.description else []

    def transform(self) -> None:
        with self.database.connect() as connection:
            transform_org(connection, self.org_id, schema="public", sync_id=uuid4().hex)

    def person(self) -> str:
        [(identifier,)] = self.run(
            "SELECT id FROM pco_people.people WHERE org_id = %(org_id)s AND _deleted_at IS NULL"
            " AND primary_campus_id IS NOT NULL ORDER BY length(id), id LIMIT 1 OFFSET 7"
        )
        return str(identifier)


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with made_up() as running:
        yield running


def made_up() -> AbstractContextManager[SimulatorClient]:
    return running_simulator(made_up_churches(2, people=110), rate_limit=GENEROUS)


@pytest.fixture(scope="module")
def synced(
    postgres: RunningServer, simulator: SimulatorClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Church]:
    """What each test has a copy of."""
    with database_to_copy(postgres, "verified", tmp_path_factory.mktemp("verified") / "home") as database:
        church = Church(database, simulator, *connect(database, simulator))
        for each in (church.org_id, church.other):
            sync(database, each, [*CHOSEN, *SONGS])
        church.transform()
        yield church


@pytest.fixture(scope="module")
def template(synced: Church) -> str:
    return str(synced.database.settings.db_name)


@pytest.fixture
def church(database: Database, synced: Church) -> Church:
    """No test changes it at the source."""
    return replace(synced, database=database)


def found(part: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["id"], each["kind"]) for each in part["examples"]}


def differing(report: Verification) -> dict[str, set[tuple[str, str]]]:
    described = report.described()
    return {
        name: found(part)
        for parts in (described["streams"], described["canonical"])
        for name, part in parts.items()
        if part["status"] != "equal"
    }


def snapshot(church: Church) -> list[tuple[Any, ...]]:
    return [
        *church.run("SELECT count(*), max(id) FROM sync.journal"),
        *church.run("SELECT count(*) FROM sync.untransformed"),
        *church.run("SELECT count(*), max(xmin::text::bigint) FROM pco_people.people"),
        *church.run("SELECT count(*), max(xmin::text::bigint) FROM public.openfaith_people"),
        *church.run("SELECT count(*) FROM sync.stream_syncs"),
    ]


def test_a_clean_church_is_equal_and_nothing_is_written(church: Church) -> None:
    before = snapshot(church)
    sample, whole = church.verify(), church.verify(is_full=True)
    assert differing(sample) == differing(whole) == {}
    assert (sample.status, whole.status) == ("equal", "equal")
    assert 0 < sample.requests <= sample.sync_requests / 2
    church.simulator.forget_requests()
    sync(church.database, church.org_id, CHOSEN, SyncMode.RECONCILE)
    assert sample.requests <= church.simulator.stats()["requests"] / 2
    emails = whole.described()["streams"]["people.emails"]
    assert emails["source_count"] == emails["row_count"] == emails["compared"] > 0
    assert snapshot(church)[:4] == before[:4]


def test_rows_older_than_their_org_keeps_its_journal_are_no_finding(church: Church) -> None:
    church.run("UPDATE sync.journal_horizon SET begins_at = now() - interval '30 days'")
    church.run("UPDATE sync.journal SET changed_at = changed_at - interval '10 days'")
    for stream in CHOSEN:
        church.run(f"UPDATE {stream.raw_table} SET _first_seen_at = _first_seen_at - interval '10 days'")  # noqa: S608
    church.run("INSERT INTO sync.org_settings (org_id, journal_kept) VALUES (%(org_id)s, interval '7 days')")
    assert maintain(church.database).entries_forgotten > 0
    assert differing(church.verify()) == {}
    church.run(
        "UPDATE pco_people.emails SET address = 'tampered' WHERE org_id = %(org_id)s AND id IN"
        " (SELECT id FROM pco_people.emails WHERE org_id = %(org_id)s LIMIT 1)"
    )
    assert list(differing(church.verify(is_full=True))) == ["people.emails"]


def tamper(church: Church) -> dict[str, tuple[str, str, str]]:
    """Ten kinds of it at once; by name, where it should be found, which id, and as which kind."""
    person = church.person()
    [(email,), (gone,), (marked,), (cut,)] = church.run(
        "SELECT id FROM pco_people.emails WHERE org_id = %(org_id)s ORDER BY length(id), id LIMIT 4"
    )
    ids = {"person": person, "email": email, "gone": gone, "marked": marked, "cut": cut}
    for statement in (
        "UPDATE pco_people.people SET nickname = 'Tampered' WHERE org_id = %(org_id)s AND id = %(person)s",
        "DELETE FROM pco_people.emails WHERE org_id = %(org_id)s AND id = %(gone)s",
        "UPDATE pco_people.emails SET _deleted_at = now() WHERE org_id = %(org_id)s AND id = %(marked)s",
        "UPDATE pco_people.emails SET person_id = NULL WHERE org_id = %(org_id)s AND id = %(email)s",
        "DELETE FROM sync.journal WHERE org_id = %(org_id)s AND table_name = 'pco_people.emails'"
        " AND row_key ->> 'id' = %(cut)s",
    ):
        church.run(statement, **ids)
    church.run(COPY, source=church.org_id, id=person, as_id="99000001", name="Extra")
    church.run(COPY, source=church.other, id=person, as_id="99000002", name=None)
    church.run("UPDATE pco_people.people SET id = '99000002' WHERE org_id = %(other)s AND id = %(id)s", id=person)
    church.transform()
    return {
        "row changed": ("people.people", person, "changed"),
        "row deleted": ("people.emails", gone, "missing"),
        "marked deleted": ("people.emails", marked, "marked_deleted"),
        "parent nulled": ("people.emails", email, "parent_lost"),
        "journal cut": ("people.emails", cut, "journal_cut"),
        "extra": ("people.people", "99000001", "extra"),
        "other org's row": ("people.people", "99000002", "other_org"),
        **tamper_canonical(church),
    }


COPY = """
INSERT INTO pco_people.people
SELECT (jsonb_populate_record(person, jsonb_build_object('org_id', %(org_id)s::text, 'id', %(as_id)s::text)
    || CASE WHEN %(name)s::text IS NULL THEN '{}' ELSE jsonb_build_object('nickname', %(name)s::text) END)).*
FROM pco_people.people AS person WHERE org_id = %(source)s AND id = %(id)s
"""


def tamper_canonical(church: Church) -> dict[str, tuple[str, str, str]]:
    [(changed,), (unlinked,)] = church.run(
        'SELECT id FROM public.openfaith_people WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL ORDER BY id LIMIT 2'
    )
    church.run(
        """UPDATE public.openfaith_people SET "firstName" = 'Tampered' WHERE "orgId" = %(org_id)s AND id = %(id)s""",
        id=changed,
    )
    [(external,)] = church.run(
        """DELETE FROM public."openfaith_externalLinks" WHERE "orgId" = %(org_id)s AND "entityId" = %(id)s
        RETURNING "externalId" """,
        id=unlinked,
    )
    [(edge,)] = church.run(
        """DELETE FROM public.openfaith_edges WHERE ctid = (SELECT ctid FROM public.openfaith_edges
        WHERE "orgId" = %(org_id)s AND "deletedAt" IS NULL AND %(unlinked)s NOT IN ("sourceEntityId", "targetEntityId")
        ORDER BY "sourceEntityId", "targetEntityId" LIMIT 1)
        RETURNING "sourceEntityId" || ' ' || "relationshipType" || ' ' || "targetEntityId" """,
        unlinked=unlinked,
    )
    return {
        "canonical changed": ("people", changed, "changed"),
        "link lost": ("externalLinks", f"person {external}", "link_lost"),
        "edge lost": ("edges", edge, "edge_lost"),
    }


@pytest.mark.parametrize("is_full", [False, True])
def test_ten_kinds_of_tampering_are_found_by_name(church: Church, is_full: bool) -> None:
    tampered = tamper(church)
    report = church.verify(is_full=is_full)
    told = differing(report)
    assert report.status == "differs"
    assert {
        name: (where, identifier, kind)
        for name, (where, identifier, kind) in tampered.items()
        if (identifier, kind) not in told.get(where, set())
    } == {}
    assert len(tampered) == 10
    streams = {name for name in told if "." in name}
    assert streams == {"people.people", "people.emails"}
    assert {each for each in told["people.people"] if each[1] != "behind"} == {
        (identifier, kind) for where, identifier, kind in tampered.values() if where == "people.people"
    }
    assert report.requests <= report.sync_requests / 2 or is_full


def test_a_number_that_does_not_fit_has_the_ids_listed(church: Church) -> None:
    """Only the source knows of a row that is missing in the journal too, whichever pages are sampled."""
    person = church.person()
    church.run("DELETE FROM pco_people.people WHERE org_id = %(org_id)s AND id = %(id)s", id=person)
    church.run(
        "DELETE FROM sync.journal WHERE org_id = %(org_id)s AND table_name = 'pco_people.people'"
        " AND row_key ->> 'id' = %(id)s",
        id=person,
    )
    before = len(church.simulator.requests())
    for seed in range(4):
        people = church.verify(seed=seed, with_canonical=False).described()["streams"]["people.people"]
        assert (people["source_count"], people["row_count"]) == (110, 109)
        assert found(people) == {(person, "missing")}
    requests = map(str, church.simulator.requests()[before:])
    ids_only = [each for each in requests if "fields" in each and "created_at" in each]
    assert ids_only, "no sample left a page out"


def test_records_that_only_their_list_shows_are_compared_too(church: Church) -> None:
    carriers = STREAMS["people.carriers"]
    sync(church.database, church.org_id, [carriers])
    [(lost,), (changed,)] = church.run("SELECT id FROM pco_people.carriers WHERE org_id = %(org_id)s LIMIT 2")
    church.run("DELETE FROM pco_people.carriers WHERE org_id = %(org_id)s AND id = %(id)s", id=lost)
    church.run("UPDATE pco_people.carriers SET name = '-' WHERE org_id = %(org_id)s AND id = %(id)s", id=changed)
    report = asyncio.run(verify_org(church.database, church.org_id, Extent([carriers], is_full=True)))
    assert differing(report) == {carriers.name: {(lost, "missing"), (changed, "changed")}}


def test_the_erased_are_not_missing_and_who_once_named_them_is_as_the_journal_says(
    church: Church, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are there requests to spare, as for a church with many people and little else."""
    person, other, lost = (int(each["id"]) for each in church.simulator.truth(church.org_id, "people.people")[5:8])
    households: list[int] = []
    for contact in (person, other):
        households = church.simulator.edit(
            church.org_id, "people.households", households or None, relations={"primary_contact": contact}
        )
        sync(church.database, church.org_id, CHOSEN)
    church.transform()
    erase_person(church.database, church.org_id, str(person), "somebody")
    with monkeypatch.context() as patch:
        patch.setattr(Looking, "has_budget", lambda *_: False)
        assert differing(church.verify()) == {}
    assert differing(church.verify(is_full=True)) == {}
    church.run("DELETE FROM pco_people.people WHERE org_id = %(org_id)s AND id = %(id)s", id=str(lost))
    assert differing(church.verify())["people.people"] == {(str(lost), "missing")}


def test_a_row_is_extra_although_two_listings_together_show_all_records(church: Church) -> None:
    songs = [STREAMS["services.songs"]]
    [song] = church.simulator.add(church.org_id, "services.songs")
    for each in (church.org_id, church.other):
        sync(church.database, each, songs)
    church.simulator.delete(church.org_id, "services.songs", [song])
    extent = Extent([*CHOSEN, *songs], with_canonical=False, seed=1)
    report = asyncio.run(verify_org(church.database, church.org_id, extent))
    assert differing(report) == {"services.songs": {(str(song), "extra")}}


def test_a_change_since_the_last_sync_is_behind_and_no_difference(church: Church) -> None:
    with made_up() as simulator:
        [person] = map(str, simulator.edit(church.org_id, "people.people"))
        lead_to(church.database, simulator)
        report = church.verify(is_full=True)
    assert report.status == "equal"
    assert found(report.described()["streams"]["people.people"]) == {(person, "behind")}


def test_the_command_named_mends_a_row_that_keeps_its_hash(church: Church) -> None:
    person = church.person()
    church.run("UPDATE pco_people.people SET nickname = 'By hand' WHERE org_id = %(org_id)s AND id = %(id)s", id=person)
    [example] = church.verify(is_full=True).described()["streams"]["people.people"]["examples"]
    assert (example["id"], example["fields"]) == (person, ["nickname"])
    assert "--stream people.people --mode full_refresh" in example["mend"]
    sync(church.database, church.org_id, [PEOPLE], SyncMode.FULL_REFRESH)
    church.transform()
    # The journal has the repaired row, but not the change made by hand in between.
    assert church.run(
        "SELECT nickname FROM pco_people.people WHERE org_id = %(org_id)s AND id = %(id)s", id=person
    ) != [("By hand",)]
    assert church.verify(is_full=True).described()["streams"]["people.people"]["different"] == 0


def test_a_withheld_product_is_no_difference(church: Church) -> None:
    church.run(
        "UPDATE sync.stream_states SET availability = 'not_granted', availability_reason = 'no access'"
        " WHERE org_id = %(org_id)s AND stream LIKE 'groups.%%'"
    )
    report = church.verify()
    assert report.status == "equal"
    described = report.described()
    assert described["streams"]["groups.groups"]["status"] == "withheld"
    assert described["not_compared"] == {"withheld": ["groups.groups", "groups.memberships"], "not_sampled": []}

    only = [stream for stream in CHOSEN if stream.name.startswith("groups.")]
    nothing = asyncio.run(verify_org(church.database, church.org_id, Extent(only, with_canonical=False)))
    assert (nothing.status, nothing.has_compared_nothing) == ("incomplete", True)


def test_streams_beyond_the_sample_are_named(church: Church, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(verification, "most_requests", lambda _: 1)
        one = church.verify().described()
    assert (one["status"], one["not_compared"]["withheld"]) == ("equal", [])
    asked = [name for name, part in one["streams"].items() if part["compared"]]
    assert 0 < len(asked) < len(CHOSEN)
    assert {*one["not_compared"]["not_sampled"]} == {stream.name for stream in CHOSEN} - {*asked}
    assert church.verify(is_full=True).described()["not_compared"] == {"withheld": [], "not_sampled": []}


@pytest.mark.parametrize("lost", ["DELETE FROM {}", "UPDATE {} SET _deleted_at = now()"])
@pytest.mark.parametrize("is_full", [False, True])
def test_records_under_a_lost_parent_are_not_extra(church: Church, lost: str, is_full: bool) -> None:
    """A whole reading finds no way to them without the song's row: the second look does, by their own parents."""
    [(song,)] = church.run(
        "SELECT song_id FROM pco_services.arrangement_sections WHERE org_id = %(org_id)s ORDER BY 1 LIMIT 1"
    )
    church.run(lost.format("pco_services.songs") + " WHERE org_id = %(org_id)s AND id = %(song)s", song=song)
    extent = Extent(SONGS, is_full=is_full, with_canonical=False, seed=1)
    report = asyncio.run(verify_org(church.database, church.org_id, extent))
    kind = "missing" if lost.startswith("DELETE") else "marked_deleted"
    assert differing(report) == {"services.songs": {(song, kind)}}


def test_rows_of_a_stream_whose_state_was_lost_are_compared_too(church: Church) -> None:
    church.run("DELETE FROM sync.stream_states WHERE org_id = %(org_id)s AND stream = 'people.campuses'")
    assert church.verify(is_full=True, with_canonical=False).status == "equal"
    church.run("UPDATE pco_people.campuses SET name = 'tampered' WHERE org_id = %(org_id)s")
    assert "people.campuses" in differing(church.verify(is_full=True, with_canonical=False))


def test_the_newest_report_is_kept(church: Church) -> None:
    reports = [church.verify(with_canonical=False) for _ in range(2)]
    with church.database.connect() as connection:
        for report in reports:
            keep_verification(connection, report, "cli")
        connection.execute("UPDATE sync.verifications SET finished_at = finished_at - interval '99 days'")
        forgotten = forget_verifications(connection, reports[0].finished_at - reports[0].started_at)
        [kept] = newest_verifications(connection, church.org_id, 5)
    assert forgotten == 1
    assert (kept["verification_id"], kept["status"]) == (reports[1].verification_id, "equal")
