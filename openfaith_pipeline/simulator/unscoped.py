"""The list that also has a stream's deleted records; with `filter=deleted` it has only those.

It is made as the reference documents it: no response of it has been recorded.
"""

from collections.abc import Mapping, Sequence

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.routes import Route
from openfaith_pipeline.simulator.tables import Table


def unscoped(church: Church, route: Route, parent: int, living: Sequence[int], params: Mapping[str, str]) -> Table:
    """The records of the list under a parent; `living` are the undeleted ones."""
    stream, way = route.shape.stream.name, route.way
    kept, table = church.deleted(stream), church.table(stream)
    records = [record for record in kept.records() if record.relations.get(way.relation or "") == (way.parent, parent)]
    if params.get("filter") != "deleted" or stream in church.traps.ignored_filters:
        records += [table.record(id) for id in living]
    whole = Table(kept.codec)
    whole.fill(sorted(records, key=lambda record: record.id))
    return whole
