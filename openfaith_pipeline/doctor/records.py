"""The rows themselves: children without parents, and OpenFaith rows that lead nowhere."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.audit.dead_ends import DeadEnd
from openfaith_pipeline.audit.findings import Kind
from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.checks.orphans import Orphans, find_orphaned, find_parentless
from openfaith_pipeline.doctor.report import EXAMPLES, Finding, found_all
from openfaith_pipeline.transform import edges

Search = Callable[[Connection[Any], str, Stream, int], Orphans]

_SEARCHES: Final[Mapping[str, Search]] = {"rows_parentless": find_parentless, "rows_orphaned": find_orphaned}

KIND_OF: Final[Mapping[Kind, str]] = {
    Kind.WITHOUT_LINK: "entities_without_link",
    Kind.WITHOUT_ENTITY: "links_without_entity",
    Kind.OTHER_ORG: "links_of_other_org",
    Kind.TO_NOTHING: "edges_to_nothing",
    Kind.JOINED: "entities_joined",
    Kind.NOT_AT_SOURCE: "deletes_unmarked",
    Kind.UNPROVEN: "deletes_unproven",
    Kind.LOGIN_OF_OTHER_ORG: "logins_of_other_org",
}


def examine_parents(connection: Connection[Any], org_id: str, streams: Sequence[Stream]) -> Iterator[Finding]:
    """Rows of these streams whose parent is lost. Examples name the stream and the record."""
    for kind, search in _SEARCHES.items():
        number, examples = 0, list[str]()
        for stream in streams:
            if stream.parent_ways:
                lost = search(connection, org_id, stream, EXAMPLES)
                number += lost.number
                examples += [f"{stream.name} {record_id}" for record_id in lost.examples]
        yield from found_all(kind, org_id, examples, count=number)


def findings_of(dead_ends: Sequence[DeadEnd], org_id: str) -> Iterator[Finding]:
    """The dead ends by kind. Examples name the table and the row."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for each in dead_ends:
        by_kind[kind_of(each)].append(f"{each.place} {each.name}")
    for kind in dict.fromkeys((*KIND_OF.values(), "edges_joined")):
        yield from found_all(kind, org_id, by_kind[kind])


def kind_of(dead_end: DeadEnd) -> str:
    """The name of the kind of finding for a dead end."""
    if dead_end.kind is Kind.JOINED and dead_end.place == edges.TABLE:
        return "edges_joined"
    return KIND_OF[dead_end.kind]
