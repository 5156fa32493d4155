"""`policy`: which value wins in a field that was changed in OpenFaith."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from psycopg import Connection

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OnlyOrg, only_org_id
from openfaith_pipeline.database import open_database
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
from openfaith_pipeline.settings import load_settings

policy_app = typer.Typer(no_args_is_help=True, help="Which value a field keeps that was changed in OpenFaith.")

Entity = Annotated[
    str | None,
    typer.Option(
        "--entity", metavar="TABLE", help="For this table, such as people or phoneNumbers; for all if omitted."
    ),
]
Field = Annotated[
    str | None,
    typer.Option(
        "--field",
        metavar="FIELD",
        help="For this field, such as firstName, or customFields for all of these; for all if omitted.",
    ),
]
Chosen = Annotated[
    Policy,
    typer.Option(
        "--policy", help="source: the source's value. local: OpenFaith's. newest: the later one. ask: a person."
    ),
]


@policy_app.command("list")
def show(org: OnlyOrg = None, as_json: terminal.JsonOption = False) -> None:
    """List the policies that were set, the one that applies first at the top. Where none is set, the source wins.

    \b
    Examples:
      openfaith-pipeline policy list
      openfaith-pipeline policy list "Cedar Hollow Chapel" --json

    \b
    Exit codes: 0 listed; 1 the database does not answer; 2 no such org.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        found = list_policies(connection, only_org_id(connection, org))
    _print(found, as_json=as_json)


@policy_app.command("set")
def choose(
    policy: Chosen,
    org: OnlyOrg = None,
    entity: Entity = None,
    field: Field = None,
    as_json: terminal.JsonOption = False,
) -> None:
    """Set the policy of a field, a table, a church or all of them. The most specific one applies.

    A church's own policy goes before one for all churches; among these, one for a table and field, then for a table,
    then for a field. Fields that were changed before are looked at again by the next sync.

    \b
    Examples:
      openfaith-pipeline policy set org_01k5t0w2m1e9qv4y8z3n7b6c5d --entity people --field firstName --policy ask
      openfaith-pipeline policy set --entity phoneNumbers --policy newest
      openfaith-pipeline policy set --field customFields --policy ask

    \b
    Exit codes: 0 set; 1 the database does not answer; 2 no such org, table or field, or people's changes of the tables
    cannot be noted.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        check_noted(connection, database.settings.canonical_schema, policy)
        org_id, table, name = _place(connection, org, entity, field)
        set_policy(connection, FieldPolicy(org_id, table, name, policy))
        found = list_policies(connection, None if org_id == ANY else org_id)
    _print(found, as_json=as_json)


@policy_app.command("reset")
def reset(
    org: OnlyOrg = None, entity: Entity = None, field: Field = None, as_json: terminal.JsonOption = False
) -> None:
    """Remove a policy, so that the next more general one applies.

    \b
    Examples:
      openfaith-pipeline policy reset org_01k5t0w2m1e9qv4y8z3n7b6c5d --entity people --field firstName

    \b
    Exit codes: 0 removed; 1 the database does not answer; 2 no such org, table or field, or no such policy is set.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        org_id, table, name = _place(connection, org, entity, field)
        reset_policy(connection, org_id, table, name)
        found = list_policies(connection, None if org_id == ANY else org_id)
    _print(found, as_json=as_json)


def _place(connection: Connection[Any], org: str | None, entity: str | None, field: str | None) -> tuple[str, str, str]:
    table = named_entity(entity) if entity is not None else ANY
    name = named_field(table, field) if field is not None else ANY
    return only_org_id(connection, org) or ANY, table, name


def _print(found: Sequence[FieldPolicy], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json([asdict(each) for each in found])
        return
    rows = [[each.org_id, each.entity, each.field, each.policy] for each in found]
    terminal.output().print(terminal.table(("org", "table", "field", "policy"), rows))
    if not found:
        terminal.say("no policy is set: the source wins")
