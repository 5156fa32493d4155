"""The checks of the OpenFaith tables, executed as a person executes them all, on a real database."""

from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.defs.canonical_checks import canonical_check_keys
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.partitions import align_partitions
from openfaith_pipeline.review.conflict_policies import ANY, FieldPolicy, Policy, set_policy
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import transform

ORG = "org_01h455vb4pex5vsknk084sn02q"
DAMAGE = (
    "DELETE FROM openfaith_people WHERE id = (SELECT min(id) FROM openfaith_people)",
    "DELETE FROM pco_people.emails WHERE id = '1'",
    """INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "targetEntityId", "relationshipType",
        "sourceEntityTypeTag", "targetEntityTypeTag", "createdAt", metadata)
    VALUES ('org_01h455vb4pex5vsknk084sn02q', 'email_x', 'person_x', 'email_has_person', 'email', 'person', now(),
        '{"source": "pco_direct", "relationshipKey": "person"}')""",
    "DELETE FROM sync.untransformed",
)


def execute_all(database: Database) -> dict[str, tuple[bool, dict[str, Any]]]:
    with open_instance(database.settings, database) as instance:
        align_partitions(instance, [ORG])
        job = definitions().resolve_implicit_global_asset_job_def()
        chosen = job.get_subset(asset_check_selection={*canonical_check_keys()})
        result = chosen.execute_in_process(instance=instance, partition_key=ORG, raise_on_error=False)
    assert result.success
    return {
        f"{each.asset_key.path[-1]}: {each.check_name}": (
            each.passed,
            {name: value.value for name, value in each.metadata.items()},
        )
        for each in result.get_asset_check_evaluations()
        if each.partition == ORG
    }


def test_all_pass_and_each_damage_is_found(
    database: Database, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with database.connect() as connection:
        for number in ("1", "2", "3"):
            put_row(connection, "people.people", ORG, number, first_name="Ann")
            put_row(connection, "people.emails", ORG, number, address="a@b.example", person_id=number)
        put_row(connection, "people.person_mergers", ORG, "1", person_to_keep_id="1", person_to_remove_id="3")
        set_policy(connection, FieldPolicy(ORG, "emails", ANY, Policy.ASK))
        transform(connection, ORG)
        found = execute_all(database)
        assert len(found) == len(canonical_check_keys())
        assert [name for name, (passed, _) in found.items() if not passed] == []
        assert found["people: as_many_as_records"][1] == {"records": 2, "rows": 2}
        # Before a transform nothing is judged that it would still change.
        put_row(connection, "people.people", ORG, "4")
        connection.commit()
        assert execute_all(database)["people: as_many_as_records"] == (
            True,
            {"records": 2, "rows": 2, "transform_pending": 1},
        )
        connection.execute("UPDATE openfaith_emails SET address = 'here'")
        connection.execute("UPDATE pco_people.emails SET address = 'there'")
        transform(connection, ORG)
        for statement in DAMAGE:
            assert connection.execute(statement.encode()).rowcount >= 0
        connection.commit()
        failed = {name: counts for name, (passed, counts) in execute_all(database).items() if not passed}
    assert failed == {
        "people: as_many_as_records": {"records": 3, "rows": 2},
        "emails: as_many_as_records": {"records": 2, "rows": 3},
        "emails: no_entity_without_record": {"without_record": 1},
        "emails: no_conflict_waits": {"waiting": 3},
        "externalLinks: no_orphan_links": {"records_without_link": 0, "to_no_entity": 1},
        "edges: no_orphan_edges": {"to_nothing": 1},
    }
