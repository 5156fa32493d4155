"""Months of the journal come and go, no entry is lost in between, and given-up syncs leave nothing behind."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.sync.maintenance import Maintained, maintain

ENTRY = (
    "INSERT INTO sync.journal (changed_at, org_id, table_name, row_key, action, after, sync_id, cause)"
    " VALUES (%s, 'org', 'pco_people.emails', '{\"id\": \"1\"}', 'insert', '{}', 'sync', 'test')"
)
WALK = (
    "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, checkpoint, started_at)"
    " VALUES ('s', %s, 'people.emails', 'people.emails', 'incremental', %s, '{}', now() - %s) RETURNING id"
)
REQUEST = (
    "INSERT INTO sync.requests (request_id, workflow, org_id, payload, trigger, idempotency_key, status, requested_at,"
    " finished_at) SELECT %s, 'ExternalSyncWorkflow', 'org', '{}', 'test', %s,"
    " CASE WHEN ended IS NULL THEN 'waiting' ELSE 'succeeded' END, now() - interval '900 days', now() - ended"
    " FROM (SELECT %s * interval '1 day' AS ended) AS given"
)


def test_entries_move_into_their_month_and_old_months_go(database: Database) -> None:
    now = datetime.now(UTC)
    old = (now - timedelta(days=500)).replace(day=2)
    with database.connect(autocommit=True) as connection:
        assert maintain(database) == Maintained(0, 0, 0)
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("sync", f"journal_{now:%Y_%m}")))
        for moment in (now, old):
            connection.execute(ENTRY, (moment,))
        assert maintain(database) == Maintained(1, 0, 0)
        places = connection.execute("SELECT tableoid::regclass::text FROM sync.journal ORDER BY id").fetchall()
        assert places == [(f"sync.journal_{now:%Y_%m}",), ("sync.journal_default",)]

        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF sync.journal FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier("sync", f"journal_{old - timedelta(days=40):%Y_%m}"),
                sql.Literal((old - timedelta(days=40)).date()),
                sql.Literal((old - timedelta(days=30)).date()),
            )
        )
        assert maintain(database).months_dropped == 1
        assert connection.execute("SELECT count(*) FROM sync.journal").fetchone() == (2,)
        [begins_at] = connection.execute("SELECT begins_at FROM sync.journal_horizon").fetchone() or [old]
        assert begins_at > old
        with pytest.raises(psycopg.errors.RaiseException, match="the journal begins at"):
            connection.execute("SELECT * FROM sync.as_of(NULL::pco_people.emails, 'org', %s)", (old,))


def test_an_abandoned_sync_is_dropped_with_its_staged_rows(database: Database) -> None:
    day, minute = timedelta(hours=25), timedelta(minutes=1)
    with database.connect(autocommit=True) as connection:
        connection.execute("INSERT INTO sync.syncs (sync_id, mode, trigger) VALUES ('s', 'incremental', 'test')")
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream, holder, lease_expires_at)"
            " VALUES ('living', 'people.emails', 'elsewhere:1:x', now() + interval '1 minute')"
        )
        walks = {}
        for org_id, status, age in (("old", "failed", day), ("living", "running", day), ("young", "failed", minute)):
            [walks[org_id]] = connection.execute(WALK, (org_id, status, age)).fetchone() or [0]
            connection.execute(
                "INSERT INTO staging.people__emails (_stream_sync_id, _page, _position, id, _content_hash)"
                " VALUES (%s, 1, 1, '1', '')",
                (walks[org_id],),
            )
        # The phone numbers came with the same pages: the place reached stands with the first stream alone.
        connection.execute(
            "WITH beside AS (INSERT INTO sync.stream_syncs"
            " (sync_id, org_id, stream, lead_stream, mode, status, fetched, started_at) VALUES"
            " ('s', 'old', 'people.phone_numbers', 'people.emails', 'incremental', 'failed', 1, now() - %s)"
            " RETURNING id)"
            " INSERT INTO staging.people__phone_numbers (_stream_sync_id, _page, _position, id, _content_hash)"
            " SELECT id, 1, 1, '1', '' FROM beside",
            (day,),
        )
        assert maintain(database).syncs_forgotten == 2
        staged = connection.execute("SELECT _stream_sync_id FROM staging.people__emails ORDER BY 1").fetchall()
        assert staged == [(walks["living"],), (walks["young"],)]
        assert connection.execute("SELECT count(*) FROM staging.people__phone_numbers").fetchone() == (0,)
        [ended] = connection.execute(
            "SELECT status, checkpoint FROM sync.stream_syncs WHERE id = %s", (walks["old"],)
        ).fetchall()
        assert ended == ("abandoned", None)


def test_settled_webhooks_are_forgotten_after_a_month_and_waiting_ones_never(database: Database) -> None:
    with database.connect() as connection:
        for event_id, status, settled in (("old", "applied", 31), ("new", "applied", 29), ("waiting", "pending", None)):
            connection.execute(
                "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, status, settled_at)"
                " VALUES ('org', %s, 'people.v2.events.email.created', '{}', %s, now() - %s * interval '1 day')",
                (event_id, status, settled),
            )
    assert maintain(database).deliveries_forgotten == 1
    with database.connect() as connection:
        left = connection.execute("SELECT event_id FROM sync.webhook_deliveries ORDER BY id").fetchall()
    assert left == [("new",), ("waiting",)]


def test_webhooks_that_wait_for_a_removed_org_are_forgotten_after_a_month(database: Database) -> None:
    with database.connect() as connection:
        for org_id, is_removed in (("gone", True), ("paused", False)):
            connection.execute(
                "INSERT INTO sync.orgs (org_id, name, paused_at, removed_at)"
                " VALUES (%s, 'A Church', now(), CASE WHEN %s THEN now() END)",
                (org_id, is_removed),
            )
            for days in (29, 31):
                connection.execute(
                    "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, received_at)"
                    " VALUES (%s, %s, 'people.v2.events.email.created', '{}', now() - %s)",
                    (org_id, str(days), timedelta(days=days)),
                )
    assert maintain(database).deliveries_forgotten == 1
    with database.connect() as connection:
        left = connection.execute("SELECT org_id, event_id FROM sync.webhook_deliveries ORDER BY id").fetchall()
    assert left == [("gone", "29"), ("paused", "29"), ("paused", "31")]


def test_ended_requests_go_with_the_journal_and_those_with_a_key_stay(database: Database) -> None:
    days = database.settings.journal_days
    with database.connect() as connection:
        for request_id, key, ended in (("old", None, days + 1), ("new", None, days - 1), ("open", None, None)):
            connection.execute(REQUEST, (request_id, key, ended))
        connection.execute(REQUEST, ("keyed", "nightly", days + 1))
    assert maintain(database).requests_forgotten == 1
    with database.connect() as connection:
        left = connection.execute("SELECT request_id FROM sync.requests ORDER BY 1").fetchall()
    assert left == [("keyed",), ("new",), ("open",)]


def test_bookkeeping_of_syncs_goes_as_soon_as_nothing_can_request_it(database: Database) -> None:
    emails, events = "people.emails", "calendar.events"  # events have tables of links
    told: list[tuple[str, str, str, int, int, str | None]] = [
        ("quiet", emails, "succeeded", 3, 0, None),
        ("failed", emails, "failed", 3, 0, None),
        ("changed", emails, "succeeded", 300, 1, None),
        ("linked", events, "succeeded", 300, 0, None),
        ("keyed", emails, "succeeded", 300, 0, "key"),
        ("forgotten", emails, "succeeded", 500, 1, None),
        ("newest", emails, "succeeded", 1, 0, None),
        ("newest event", events, "succeeded", 1, 0, None),
        ("newest failure", emails, "failed", 1, 0, None),
    ]
    with database.connect() as connection:
        for sync_id, stream, status, days, inserted, key in told:
            connection.execute(
                "INSERT INTO sync.syncs (sync_id, mode, trigger, status, idempotency_key, started_at, finished_at)"
                " VALUES (%s, 'incremental', 'test', 'succeeded', %s, now() - %s, now() - %s)",
                (sync_id, key, timedelta(days=days), timedelta(days=days)),
            )
            connection.execute(
                "INSERT INTO sync.stream_syncs"
                " (sync_id, org_id, stream, lead_stream, mode, status, inserted, finished_at)"
                " VALUES (%s, 'org', %s, %s, 'incremental', %s, %s, now() - %s)",
                (sync_id, stream, stream, status, inserted, timedelta(days=days)),
            )
        connection.execute(
            "INSERT INTO sync.journal (org_id, table_name, row_key, action, sync_id, cause)"
            " VALUES ('org', 'pco_calendar.events_tags', '{}', 'insert', 'linked', 'incremental')"
        )
        for days in (401, 399):
            connection.execute(
                "INSERT INTO sync.quarantine (org_id, stream, sync_id, reason, resolved_at)"
                " VALUES ('org', 'people.emails', 'newest', 'why', now() - %s)",
                (timedelta(days=days),),
            )
    done = maintain(database)
    assert (done.records_forgotten, done.resolved_forgotten) == (3, 1)
    newest = {"newest", "newest event", "newest failure"}
    with database.connect() as connection:
        streams = connection.execute("SELECT sync_id FROM sync.stream_syncs").fetchall()
        syncs = connection.execute("SELECT sync_id FROM sync.syncs").fetchall()
    assert {sync_id for (sync_id,) in streams} == {"failed", "changed", "linked", *newest}
    assert {sync_id for (sync_id,) in syncs} == {"quiet", "failed", "changed", "linked", "keyed", *newest}


def test_bookkeeping_goes_however_many_syncs_there_were(database: Database) -> None:
    """Numbers of records beyond those of a smallint: its type would be taken from small parameters."""
    with database.connect() as connection:
        for number in (1, 21_000, 39_000):
            connection.execute(
                "INSERT INTO sync.syncs (sync_id, mode, trigger, status, started_at, finished_at) VALUES"
                " (%s, 'incremental', 'test', 'succeeded', now() - interval '300 days', now() - interval '300 days')",
                (str(number),),
            )
            connection.execute(
                "INSERT INTO sync.stream_syncs (id, sync_id, org_id, stream, lead_stream, mode, status, finished_at)"
                " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 'org', 'people.emails', 'people.emails', 'incremental',"
                " 'succeeded', now() - interval '300 days')",
                (number, str(number)),
            )
    assert maintain(database).records_forgotten == 2
    with database.connect() as connection:
        assert connection.execute("SELECT id FROM sync.stream_syncs").fetchall() == [(39_000,)]


def _keep(database: Database, org_id: str, **kept: int) -> None:
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, %s)", (org_id, org_id))
        columns = sql.SQL(", ").join(map(sql.Identifier, kept))
        days = sql.SQL(", ").join(sql.Literal(timedelta(days=number)) for number in kept.values())
        connection.execute(
            sql.SQL("INSERT INTO sync.org_settings (org_id, {}) VALUES (%s, {})").format(columns, days), (org_id,)
        )


def test_an_org_keeps_deliveries_and_quarantine_for_as_long_as_it_says(database: Database) -> None:
    _keep(database, "short", deliveries_kept=7, quarantine_kept=7)
    _keep(database, "long", deliveries_kept=90, quarantine_kept=900)
    _keep(database, "as its journal", journal_kept=7)
    with database.connect() as connection:
        for org_id in ("short", "other", "long", "as its journal"):
            for days in (8, 31, 500):
                connection.execute(
                    "INSERT INTO sync.webhook_deliveries (org_id, event_id, event, payload, status, settled_at)"
                    " VALUES (%s, %s, 'an.event', '{}', 'applied', now() - %s)",
                    (org_id, str(days), timedelta(days=days)),
                )
                connection.execute(
                    "INSERT INTO sync.quarantine (org_id, stream, sync_id, reason, resolved_at)"
                    " VALUES (%s, 'people.emails', %s, 'why', now() - %s)",
                    (org_id, str(days), timedelta(days=days)),
                )
                connection.execute(
                    "INSERT INTO sync.conflicts (id, org_id, entity_table, entity_id, field, base, local, source,"
                    " edited_at, edited_by, sync_id, decision, decided_at) VALUES (%s, %s, 'people', 'person', 'name',"
                    " '1', '2', '3', now(), 'user', 'sync', 'approved', now() - %s)",
                    (f"{org_id} {days}", org_id, timedelta(days=days)),
                )
    maintain(database)
    with database.connect() as connection:
        deliveries = connection.execute("SELECT org_id, event_id FROM sync.webhook_deliveries ORDER BY id").fetchall()
        entries = connection.execute("SELECT org_id, sync_id FROM sync.quarantine ORDER BY id").fetchall()
        conflicts = connection.execute("SELECT id FROM sync.conflicts WHERE org_id LIKE '%j%' OR id ~ '500'").fetchall()
    assert deliveries == [("other", "8"), ("long", "8"), ("long", "31"), ("as its journal", "8")]
    assert conflicts == []
    assert entries == [("other", "8"), ("other", "31"), ("long", "8"), ("long", "31"), ("long", "500")]


def test_an_org_keeps_its_journal_for_as_long_as_it_says(database: Database) -> None:
    _keep(database, "short", journal_kept=20)
    _keep(database, "long", journal_kept=800)
    entry = ENTRY.replace("'org'", "%s")
    ages = (10, 30, 390, 410, 790)
    now = datetime.now(UTC)
    with database.connect() as connection:
        connection.execute("UPDATE sync.journal_horizon SET begins_at = %s", (now - timedelta(days=2000),))
        for org_id in ("short", "other", "long"):
            for days in ages:
                connection.execute(entry, (now - timedelta(days=days), org_id))
    assert maintain(database).entries_forgotten == 4 + 2
    with database.connect(autocommit=True) as connection:
        left = dict(connection.execute("SELECT org_id, count(*) FROM sync.journal GROUP BY 1").fetchall())
        assert left == {"short": 1, "other": 3, "long": 5}
        for org_id, days in (("short", 15), ("other", 395), ("long", 795)):
            past = "SELECT * FROM sync.as_of(NULL::pco_people.emails, %s, %s)"
            connection.execute(past, (org_id, now - timedelta(days=days)))
            with pytest.raises(psycopg.errors.RaiseException, match="the journal begins at"):
                connection.execute(past, (org_id, now - timedelta(days=days + 10)))
    assert maintain(database).entries_forgotten == 0
