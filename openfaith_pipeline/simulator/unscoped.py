"""Lists that also have a stream's deleted records; with the filter for these they have only those.

They are made as the reference documents them: no response of one has been recorded.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.routes import Kind, Route
from openfaith_pipeline.simulator.tables import Table

_ALL: Final = "with_deleted"


def with_deleted(
    church: Church, route: Route, ids: Sequence[int], living: Sequence[int] | None, params: Mapping[str, str]
) -> Table | None:
    """The records that such a list has; None for any other request.

    ids: in the path. living: undeleted records at the path, all when None.
    """
    stream, way = route.shape.stream, route.way
    path, _, query = stream.deleted_under.partition("?")
    is_filtered = dict(parse_qsl(query)).items() <= params.items() and stream.name not in church.traps.ignored_filters
    is_asked = route.kind is Kind.LIST and way.path == path and (is_filtered or params.get("filter") == _ALL)
    if route.kind is not Kind.UNSCOPED and not is_asked:
        return None
    kept, table = church.deleted(stream.name), church.table(stream.name)
    owner = (way.parent, ids[-1]) if way.parent else None
    records = [record for record in kept.records() if record.relations.get(way.relation or "") == owner]
    if not is_filtered:
        records += [table.record(id) for id in (table.ids if living is None else living)]
    whole = Table(kept.codec)
    whole.fill(sorted(records, key=lambda record: record.id))
    return whole
