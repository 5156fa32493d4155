"""Churches made by a few statements: their bookkeeping as a fleet leaves it that has run for a while, no records."""

from openfaith_pipeline.database import Database
from openfaith_pipeline.sources import STREAMS

_ORGS = """
INSERT INTO sync.orgs (org_id, name, created_at, paused_at)
SELECT 'org_' || lpad(number::text, 26, '0'), 'Church ' || lpad(number::text, 4, '0'), now() - interval '60 days',
       CASE WHEN number %% 50 = 0 THEN now() END
  FROM generate_series(1, %(churches)s) AS number
"""
_CONNECTIONS = """
INSERT INTO sync.connections (org_id, kind, state, reason)
SELECT org_id, 'oauth', CASE WHEN is_dead THEN 'needs_reconnect' ELSE 'connected' END,
       CASE WHEN is_dead THEN 'the grant is over' END
  FROM (SELECT org_id, right(org_id, 4)::int %% 40 = 1 AS is_dead FROM sync.orgs WHERE name LIKE 'Church %%') AS church
"""
_STATES = """
INSERT INTO sync.stream_states
    (org_id, stream, availability, availability_reason, last_succeeded_at, last_full_at, watermark, row_count)
SELECT org_id, stream, CASE WHEN is_withheld THEN 'forbidden' ELSE 'available' END,
       CASE WHEN is_withheld THEN 'the user may not read it' END,
       CASE WHEN number %% 30 = 3 THEN now() - interval '3 days' ELSE now() - interval '10 minutes' END,
       now() - interval '2 days', now() - interval '1 hour', 100 + number %% 900
  FROM (SELECT org_id, stream, right(org_id, 4)::int AS number,
               right(org_id, 4)::int %% 20 = 2 AND stream LIKE 'giving.%%' AS is_withheld
          FROM sync.orgs CROSS JOIN unnest(%(streams)s::text[]) AS stream WHERE name LIKE 'Church %%') AS made
"""
_SYNCS = """
INSERT INTO sync.syncs (sync_id, mode, trigger, status, started_at, finished_at)
SELECT 'seeded ' || org_id || ' ' || round, 'incremental', 'schedule', 'succeeded', began, began + interval '20 s'
  FROM (SELECT org_id, round, now() - interval '1 day' * round - interval '10 min' AS began
          FROM sync.orgs CROSS JOIN generate_series(0, %(rounds)s - 1) AS round WHERE name LIKE 'Church %%') AS made
"""
# The oldest first, as they would have come.
_STREAM_SYNCS = """
INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, fetched, inserted, unchanged,
    requests, started_at, finished_at, error)
SELECT 'seeded ' || org_id || ' ' || round, org_id, stream, stream, 'incremental',
       CASE WHEN has_failed THEN 'failed' ELSE 'succeeded' END, 10, CASE WHEN place %% 20 = 1 THEN 2 ELSE 0 END,
       8, 1,
       now() - interval '1 day' * round - interval '10 min', now() - interval '1 day' * round - interval '9 min',
       CASE WHEN has_failed THEN 'Planning Center answered 500' END
  FROM (SELECT org_id, stream, place, round,
               round = 0 AND right(org_id, 4)::int %% 25 = 4 AND place = 7 AS has_failed
          FROM sync.orgs CROSS JOIN unnest(%(streams)s::text[]) WITH ORDINALITY AS named (stream, place)
          CROSS JOIN generate_series(0, %(rounds)s - 1) AS round WHERE name LIKE 'Church %%'
         ORDER BY round DESC, org_id, place) AS made
"""
_TURNS = """
INSERT INTO sync.org_schedules (org_id, kind, next_at, succeeded_at)
SELECT org_id, kind, now() + interval '5 min', now() - interval '10 min'
  FROM sync.orgs CROSS JOIN unnest(ARRAY['incremental', 'reconcile']) AS kind WHERE name LIKE 'Church %%'
"""


def seed_churches(database: Database, churches: int, *, rounds: int = 2, streams: int | None = None) -> None:
    """`Church 0001` and on, each with the first `streams` of the catalog (None for all) and so many syncs of them.

    Of each hundred some are paused, dead, failing, late, or have giving withheld.
    """
    values = {"churches": churches, "rounds": rounds, "streams": list(STREAMS)[:streams]}
    with database.connect() as connection:
        for statement in (_ORGS, _CONNECTIONS, _STATES, _SYNCS, _STREAM_SYNCS, _TURNS):
            connection.execute(statement, values)
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
