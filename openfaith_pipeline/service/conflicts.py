"""Conflicts and their policies through the API, as `openfaith-pipeline review` and `policy` have them.

The values are people's data, so even to see them needs the scope of those who decide.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from openfaith_pipeline.review.conflict_policies import (
    ANY,
    FieldPolicy,
    Policy,
    check_noted,
    list_policies,
    named_entity,
    named_field,
    reset_policy,
    set_policy,
)
from openfaith_pipeline.review.conflicts import Decision, list_conflicts
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import OPERATE, READ
from openfaith_pipeline.service.executions import Told
from openfaith_pipeline.service.problems import NothingHere
from openfaith_pipeline.service.schemas import ANSWERS
from openfaith_pipeline.service.status.models import Read
from openfaith_pipeline.service.status.pages import OrgId
from openfaith_pipeline.sync.conflict_decision import decide_conflicts

router = APIRouter(prefix="/api/orgs/{org_id}", tags=["conflicts"], responses=ANSWERS)

Operator = Annotated[Visitor, Depends(visitor_with(OPERATE))]
Reader = Annotated[Visitor, Depends(visitor_with(READ))]
Entity = Annotated[str, Path(max_length=100, description="A table, such as people; * for all.")]
Field = Annotated[
    str, Path(max_length=300, description="A field, such as firstName, or customFields for all of these; * for all.")
]


class ConflictShown(Read):
    """A field that was changed on both sides. base: the value of the last sync before that."""

    id: str
    entity: str
    entity_id: str
    field: str
    base: Any
    local: Any
    source: Any
    source_changed_at: datetime | None
    edited_at: datetime
    edited_by: str
    sync_id: str
    since: datetime
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None


class DecisionShown(Told):
    """sync_id: of the sync that the decision is, for `rollback`."""

    sync_id: str
    id: str


class PolicyShown(Read):
    """org_id, entity, field: where it applies; * for all without a policy of their own."""

    org_id: str
    entity: str
    field: str
    policy: Policy


@router.get("/conflicts", summary="The conflicts of a church")
def show_conflicts(
    request: Request,
    visitor: Operator,
    org_id: OrgId,
    decided: Annotated[bool, Query(description="Decided ones too.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ConflictShown]:
    """Waiting conflicts, oldest first, with both values, who changed OpenFaith's and when, and their age."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        found = list_conflicts(connection, org_id, with_decided=decided, limit=limit)
    return [ConflictShown.model_validate(each) for each in found]


@router.post("/conflicts/{conflict_id}/{decision}", summary="Decide a conflict")
def decide(
    request: Request,
    visitor: Operator,
    org_id: OrgId,
    conflict_id: Annotated[str, Path(max_length=40)],
    decision: Decision,
) -> DecisionShown:
    """approve: the source's value replaces OpenFaith's. reject: OpenFaith's stays, until the source has another one."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        if not list_conflicts(connection, org_id, ids=[conflict_id]):
            raise NothingHere("this conflict is not waiting for a decision")
    done = decide_conflicts(
        request.app.state.database, [conflict_id], decision, f"key {visitor.name}", trigger="service"
    )
    return DecisionShown(sync_id=done.sync_id, id=conflict_id)


@router.get("/policies", summary="The policies of a church")
def show_policies(request: Request, visitor: Reader, org_id: OrgId) -> list[PolicyShown]:
    """The church's own policies and those of all churches, in order of precedence. If none is set, the source wins."""
    visitor.check_org(org_id)
    with request.app.state.pool.connection() as connection:
        return [PolicyShown.model_validate(each) for each in list_policies(connection, org_id)]


@router.put("/policies/{entity}/{field}", summary="Set a policy")
def choose(
    request: Request, visitor: Operator, org_id: OrgId, entity: Entity, field: Field, policy: Policy
) -> PolicyShown:
    """Which value a field keeps that was changed in OpenFaith; the next sync looks at such fields again."""
    visitor.check_org(org_id)
    table, name = _place(entity, field)
    chosen = FieldPolicy(org_id, table, name, policy)
    with request.app.state.pool.connection() as connection:
        check_noted(connection, request.app.state.database.settings.canonical_schema, policy)
        set_policy(connection, chosen)
    return PolicyShown.model_validate(chosen)


@router.delete("/policies/{entity}/{field}", summary="Remove a policy", status_code=204)
def reset(request: Request, visitor: Operator, org_id: OrgId, entity: Entity, field: Field) -> None:
    """The next more general one applies."""
    visitor.check_org(org_id)
    table, name = _place(entity, field)
    with request.app.state.pool.connection() as connection:
        reset_policy(connection, org_id, table, name)


def _place(entity: str, field: str) -> tuple[str, str]:
    table = entity if entity == ANY else named_entity(entity)
    return table, field if field == ANY else named_field(table, field)
