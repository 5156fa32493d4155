"""The churches of an export that the database user may see."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from openfaith_pipeline.errors import UnknownOrg, UsageError
from openfaith_pipeline.orgs.naming import find_among

# Readers see these columns, and no other table with the orgs.
_ORGS: Final = "SELECT org_id, name FROM sync.orgs WHERE removed_at IS NULL ORDER BY name, org_id"
_MOST_LISTED: Final = 10


class NamedOrg(NamedTuple):
    """A church by id and name."""

    org_id: str
    name: str


def chosen_orgs(connection: Connection[Any], names: Sequence[str]) -> tuple[str, ...]:
    """The ids of the named orgs, or of all if none is named; UnknownOrg for a name that fits no org or several."""
    with connection.cursor(row_factory=class_row(NamedOrg)) as cursor:
        orgs = cursor.execute(_ORGS).fetchall()
    if not orgs:
        raise UsageError("there is no church here that this user may see: openfaith-pipeline db roles list")
    return tuple(dict.fromkeys(_found(orgs, name).org_id for name in names)) or tuple(org.org_id for org in orgs)


def _found(orgs: Sequence[NamedOrg], name: str) -> NamedOrg:
    found = find_among(orgs, name)
    if found is None:
        listed = ", ".join(f"{org.name} ({org.org_id})" for org in orgs[:_MOST_LISTED])
        raise UnknownOrg(f"no org {name[:80]!r} is here; there are: {listed}")
    return found
