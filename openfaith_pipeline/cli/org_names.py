"""How a command names its orgs: by id, by a unique beginning of it, or by the church's name."""

from collections.abc import Sequence
from typing import Annotated, Any

import psycopg
import typer

from openfaith_pipeline.cli.completion import complete_org
from openfaith_pipeline.orgs.naming import find_org

_HELP = "its id, a beginning of that which no other has, or its church's name."

OrgName = Annotated[str, typer.Argument(metavar="ORG", autocompletion=complete_org, help=f"The org: {_HELP}")]
OrgNames = Annotated[
    list[str] | None, typer.Argument(metavar="ORG", autocompletion=complete_org, help=f"The orgs, each by {_HELP}")
]
OnlyOrg = Annotated[
    str | None, typer.Argument(metavar="ORG", autocompletion=complete_org, help=f"Only this org: {_HELP}")
]
OrgOption = Annotated[
    str | None, typer.Option("--org", metavar="ORG", autocompletion=complete_org, help=f"Only this org: {_HELP}")
]


def org_id_of(connection: psycopg.Connection[Any], name: str) -> str:
    """The org's id. Raises UnknownOrg if no org, or more than one, has this name."""
    return find_org(connection, name).org_id


def only_org_id(connection: psycopg.Connection[Any], name: str | None) -> str | None:
    """Like `org_id_of`, for an org that need not be named."""
    return org_id_of(connection, name) if name else None


def org_ids_of(connection: psycopg.Connection[Any], names: Sequence[str]) -> list[str]:
    """The ids of several orgs, each once."""
    return list(dict.fromkeys(org_id_of(connection, name) for name in names))
