"""Orgs as people name them: by id, by a beginning of it that no other has, or by the church's name."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any, Final, Protocol, TypeVar

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.orgs.registry import Org, get_org, list_orgs
from openfaith_pipeline.text.printable import printable

_EVERY_ID_BEGINS: Final = "org_"
_MOST_LISTED: Final = 5


class Named(Protocol):
    """Something with an org's id and name."""

    @property
    def org_id(self) -> str: ...

    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=Named)


def find_org(connection: Connection[Any], name: str) -> Org:
    """The org with this id, unique beginning of an id, or unique name, regardless of case.

    Raises UnknownOrg, which suggests similar orgs, if there is none or more than one.
    """
    found = find_among(list_orgs(connection), name)
    return found or get_org(connection, name)


def find_among(orgs: Sequence[_N], name: str) -> _N | None:
    """Like `find_org`, among these orgs; None if nothing is similar."""
    found = _fitting(orgs, name.strip())
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownOrg(f"{name[:80]!r} may be any of {len(found)} orgs: {_listed(found)}; write more of its id")
    if near := _near(orgs, name):
        raise UnknownOrg(f"no org {name[:80]!r} is connected; did you mean {_listed(near)}?")
    return None


def names_of(connection: Connection[Any], org_ids: Collection[str]) -> dict[str, str]:
    """The churches' names by org, each on one line without control characters; also of orgs that were removed."""
    statement = "SELECT org_id, name FROM sync.orgs WHERE org_id = ANY(%s)"
    with connection.cursor(row_factory=tuple_row) as cursor:
        return {org_id: printable(name) for org_id, name in cursor.execute(statement, (list(org_ids),))}


def _fitting(orgs: Sequence[_N], name: str) -> list[_N]:
    """Orgs that match by id, by the beginning of an id, or by name: the first of these ways that finds any."""
    by_id = [org for org in orgs if org.org_id == name]
    is_beginning = len(name) > len(_EVERY_ID_BEGINS) and name.startswith(_EVERY_ID_BEGINS)
    by_beginning = [org for org in orgs if is_beginning and org.org_id.startswith(name)]
    return by_id or by_beginning or [org for org in orgs if org.name.strip().casefold() == name.casefold()]


def _near(orgs: Sequence[_N], name: str) -> list[_N]:
    """Orgs with a similar name or a word in it that begins so; only suggested, since commands also remove orgs."""
    wanted = name.strip().casefold()
    names = get_close_matches(wanted, [org.name.casefold() for org in orgs], n=_MOST_LISTED)
    begins = re.compile(rf"\b{re.escape(wanted)}") if wanted else None
    return [org for org in orgs if org.name.casefold() in names or (begins and begins.search(org.name.casefold()))]


def _listed(orgs: Sequence[Named]) -> str:
    rest = f" and {len(orgs) - _MOST_LISTED} more" if len(orgs) > _MOST_LISTED else ""
    return ", ".join(f"{org.name} ({org.org_id})" for org in orgs[:_MOST_LISTED]) + rest
