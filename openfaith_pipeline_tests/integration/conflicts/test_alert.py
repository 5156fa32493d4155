"""Many conflicts that wait are one incident of their church, until fewer do."""

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.alerts.waiting_conflicts import watch_conflicts
from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.conflicts.things import ORG, OTHER
from openfaith_pipeline_tests.tenants import add_orgs

ADD = """
INSERT INTO sync.conflicts (id, org_id, entity_table, entity_id, field, base, local, source, edited_at, edited_by,
    sync_id)
SELECT 'conflict-' || %(org)s || n, %(org)s, 'people', 'p' || n, 'f', '1', '"Annie"', '3', now(), 'u', 's'
FROM generate_series(1, %(number)s) AS n
"""


def test_more_than_so_many_are_an_incident(database: Database) -> None:
    add_orgs(database, {ORG: "Cedar Hollow Chapel", OTHER: "Amber Hill"})
    with database.connect() as connection:
        connection.execute(ADD, {"org": ORG, "number": 3})
        connection.execute(ADD, {"org": OTHER, "number": 2})
        assert watch_conflicts(connection, 3) == []
        assert watch_conflicts(connection, 2) == [ORG]
        assert watch_conflicts(connection, 2) == []
        [alert] = list_alerts(connection)
        assert (alert.kind, alert.org_id) == ("conflicts_waiting", ORG)
        assert ("3 fields" in alert.message, "Annie" in alert.message + alert.mend) == (True, False)
        connection.execute("UPDATE sync.conflicts SET decision = 'settled' WHERE entity_id = 'p3'")
        watch_conflicts(connection, 2)
        assert list_alerts(connection) == []
