"""`CreateOrgWorkflow`: the initial rows that OpenFaith's application expects for a new org."""

from typing import Any, Final

from psycopg import sql
from pydantic import Field, field_validator
from typeid import TypeID

from openfaith_pipeline.orgs.org_ids import check_org_id
from openfaith_pipeline.workflows.definition import Activity, Execution, Payload, Workflow

SACRAMENTS: Final = ("salvation", "baptismWater", "baptismHolySpirit")

# Types of entity that may be related to a person; the register has both directions.
RELATED_TO_PERSON: Final = ("person", "phoneNumber", "address", "campus", "user")


class CreateOrgPayload(Payload):
    """As the application sends it. userId: the user who created the org."""

    organizationId: str = Field(examples=["org_01k5t0w2m1e9qv4y8z3n7b6c5d"])  # noqa: N815 - OpenFaith's names
    name: str = Field(min_length=1)
    slug: str = Field(min_length=1)
    userId: str = Field(min_length=1)  # noqa: N815

    @field_validator("organizationId")
    @classmethod
    def _is_org_id(cls, value: str) -> str:
        check_org_id(value)
        return value


def seed_sacraments(execution: Execution[CreateOrgPayload]) -> list[str]:
    """Insert one row of each kind that the org lacks; returns the ids of the new ones."""
    table = _table(execution, "sacraments")
    seeded: list[str] = []
    for kind in SACRAMENTS:
        row = execution.connection.execute(
            sql.SQL(
                'INSERT INTO {table} (id, "orgId", type, "createdAt", "createdBy")'
                " SELECT %(id)s, %(org)s, %(kind)s, now(), %(user)s"
                ' WHERE NOT EXISTS (SELECT FROM {table} WHERE "orgId" = %(org)s AND type = %(kind)s) RETURNING id'
            ).format(table=table),
            {
                "id": str(TypeID("sacrament")),
                "org": execution.org_id,
                "kind": kind,
                "user": execution.payload.userId,
            },
        ).fetchone()
        seeded.extend(row or ())
    return seeded


def remove_sacraments(execution: Execution[CreateOrgPayload]) -> None:
    """Delete exactly the rows that were seeded."""
    execution.connection.execute(
        sql.SQL('DELETE FROM {} WHERE "orgId" = %s AND id = ANY(%s)').format(_table(execution, "sacraments")),
        (execution.org_id, execution.results[SEED_SACRAMENTS.name]),
    )


def seed_relationships(execution: Execution[CreateOrgPayload]) -> dict[str, list[str]]:
    """Register the types that may be related to a person, in addition to those already registered.

    Returns the new ones.
    """
    register = {each: ["person"] for each in RELATED_TO_PERSON} | {"person": sorted(RELATED_TO_PERSON)}
    statement = sql.SQL(
        'INSERT INTO {} AS r ("orgId", "sourceEntityType", "targetEntityTypes", "updatedAt")'
        " VALUES (%s, %s, to_jsonb(%s::text[]), now())"
        ' ON CONFLICT ("orgId", "sourceEntityType") DO UPDATE SET "updatedAt" = now(), "targetEntityTypes" = ('
        ' SELECT jsonb_agg(DISTINCT each ORDER BY each) FROM jsonb_array_elements(r."targetEntityTypes"'
        ' || excluded."targetEntityTypes") AS each)'
    ).format(_table(execution, "entityRelationships"))
    for source, targets in register.items():
        execution.connection.execute(statement, (execution.org_id, source, targets))
    return register


def _table(execution: Execution[Any], name: str) -> sql.Identifier:
    return sql.Identifier(execution.database.settings.canonical_schema, f"openfaith_{name}")


SEED_SACRAMENTS: Final = Activity("seed_sacraments", seed_sacraments, undo=remove_sacraments)

CREATE_ORG = Workflow(
    name="CreateOrgWorkflow",
    description="Seed the initial rows of an OpenFaith org: its sacraments, and types of relationships to a person.",
    payload=CreateOrgPayload,
    org_id=lambda payload: payload.organizationId,
    idempotency_key=lambda payload: f"create-org-{payload.organizationId}",
    needs_org=False,
    # The register needs no undoing: a registered type that does not occur does no harm.
    activities=(SEED_SACRAMENTS, Activity("seed_relationships", seed_relationships)),
)
