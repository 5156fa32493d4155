"""Parts of a walk that could not be read: described, protected from deletion, and recorded for the next sync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection, Connection, sql
from psycopg.types.json import Jsonb

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.catalog.walk import End, LeftOut, Route
from openfaith_pipeline.database.table_names import raw_name, staging_name
from openfaith_pipeline.load.sessions import Session

_NAMED: Final = 3
"""Maximum number of places in one message."""


def describe_left_out(session: Session, *, is_withheld: bool) -> dict[str, str]:
    """A description of the parts that could not be read, by stream."""
    described: dict[str, str] = {}
    end = session.end or End()
    for stream in session.walk.streams:
        found = [str(each) for each in session.walk.left_out(stream, end) if each.is_withheld is is_withheld]
        unasked = [one for route in session.walk.routes for one in route.unasked(stream).values()]
        found += dict.fromkeys(each.reason for each in unasked if each.is_withheld is is_withheld)
        if found:
            described[stream.name] = _in_words(found, is_withheld=is_withheld)
    return described


def _in_words(found: list[str], *, is_withheld: bool) -> str:
    named = "; ".join(found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    told = "withheld" if is_withheld else "could not be read"
    return f"{told}; existing rows stay and the next sync tries again: {named}{more}"


@dataclass
class Spared:
    """Rows that a walk did not list only because their listing could not be read.

    Call for the streams in the walk's order, parents before included streams.
    """

    session: Session
    _ids: dict[str, set[str]] = field(default_factory=dict)

    def is_all(self, stream: Stream) -> bool:
        """Whether all rows are affected: a record was left out whose parent is not known either."""
        end = self.session.end
        return end is not None and any(each.parent is None for each in self.session.walk.left_out(stream, end))

    def without(self, stream: Stream, missing: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
        """The missing rows whose listing was read. missing: as from `missing_rows`."""
        kept = self._ids.setdefault(stream.name, set())
        for identifier, parents in missing.items():
            if any(self._covers(route, left_out, stream, parents) for route, left_out in self._routes(stream)):
                kept.add(identifier)
        return {identifier: parents for identifier, parents in missing.items() if identifier not in kept}

    def _routes(self, stream: Stream) -> list[tuple[Route, set[str]]]:
        """Routes of the stream with unread parents, and the ids of these."""
        ends = self.session.end.routes if self.session.end else ()
        pairs = zip(self.session.walk.routes, ends, strict=False)
        return [
            (route, {str(each.parent) for each in ended.left_out})
            for route, ended in pairs
            if stream in route.streams and ended.left_out
        ]

    def _covers(self, route: Route, left_out: set[str], stream: Stream, parents: Mapping[str, str]) -> bool:
        """Whether the row may belong to a part that the route left out; true if its parent is not known."""
        if stream is route.lead:
            inner = route.placeholders[-1]
            parent = parents.get(inner)
            # Of a parent that is only walked under no row says whether it has it.
            return parent in left_out or inner not in stream.belongs_to or not (parent or parents)
        owners = [(parents.get(each.relationship), each.parent) for each in route.carried if each.stream is stream]
        known = [(parent, of) for parent, of in owners if parent]
        return not known or any(parent in self._ids.get(of.name, ()) for parent, of in known)


async def keep_unasked(connection: AsyncConnection[Any], session: Session, stream: Stream) -> bool:
    """Fill relationships that were not requested from published rows; returns whether links are among them.

    Links themselves stay as they are and are not published.
    """
    names = {name for route in session.walk.routes for name in route.unasked(stream)}
    columns = [column for name in names for column in (f"{name}_id", f"{name}_type") if column in stream.columns]
    if columns:
        kept = sql.SQL(", ").join(
            sql.SQL("{0} = coalesce(incoming.{0}, present.{0})").format(sql.Identifier(name)) for name in columns
        )
        await connection.execute(
            sql.SQL(
                "UPDATE {staging} AS incoming SET {kept} FROM {raw} AS present WHERE incoming._stream_sync_id = %s"
                " AND present.org_id = %s AND present.id = incoming.id"
            ).format(staging=staging_name(stream), raw=raw_name(stream), kept=kept),
            (session.ids[stream.name], session.org_id),
        )
    return not names.isdisjoint(stream.has_many)


_NOTE: Final = """
UPDATE sync.stream_states SET left_out = nullif((coalesce(left_out, '{}') - %(paths)s::text[]) || %(new)s, '{}')
WHERE org_id = %(org_id)s AND stream = %(lead)s
"""


async def note_left_out(connection: AsyncConnection[Any], session: Session) -> None:
    """Record the parents whose children could not be read: the next sync visits them and reads all their children."""
    for lead in session.walk.leads:
        if session.end is None or lead.name not in session.ids:
            continue
        routes = [route for route in session.walk.routes if route.lead is lead and route.placeholders]
        ends = dict(zip((route.path for route in session.walk.routes), session.end.routes, strict=False))
        new = {route.path: _by_parent(ends[route.path].left_out) for route in routes if ends[route.path].left_out}
        if routes:
            values = {"paths": [route.path for route in routes], "new": Jsonb(new)}
            await connection.execute(_NOTE, {**values, "org_id": session.org_id, "lead": lead.name})


def _by_parent(left_out: tuple[LeftOut, ...]) -> dict[str, str]:
    return {str(each.parent): each.reason for each in left_out}


async def noted_left_out(connection: AsyncConnection[Any], session: Session, route: Route) -> dict[str, str]:
    """Why the children of each parent of the route could not be read the last time."""
    cursor = await connection.execute(
        "SELECT left_out -> %s AS noted FROM sync.stream_states WHERE org_id = %s AND stream = %s",
        (route.path, session.org_id, route.lead.name),
    )
    row = await cursor.fetchone()
    return (row["noted"] if row else None) or {}


_FORGET: Final = """
UPDATE sync.stream_states AS state SET left_out = (
    SELECT jsonb_object_agg(key, value - %(parents)s::text[]) FROM jsonb_each(state.left_out)
    WHERE value - %(parents)s::text[] <> '{}')
WHERE org_id = %(org_id)s AND stream = ANY(%(streams)s) AND EXISTS (
    SELECT FROM jsonb_each(state.left_out) AS path WHERE path.value ?| %(parents)s::text[])
"""


def forget_left_out(connection: Connection[Any], org_id: str, streams: Sequence[str], parents: Sequence[str]) -> None:
    """Forget that the children of these parents could not be read; streams: of the children."""
    connection.execute(_FORGET, {"org_id": org_id, "streams": list(streams), "parents": list(parents)})
