"""JSON:API documents as Planning Center writes them: collections, single records and their paging links."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import orjson

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.compounds import Compound
from openfaith_pipeline.simulator.queries import Page, Selection, read_page
from openfaith_pipeline.simulator.shapes import Shape
from openfaith_pipeline.simulator.tables import Table

Params = Mapping[str, str]


def collection(
    church: Church, table: Table, selection: Selection, url: str, params: Params, parent: Mapping[str, str]
) -> tuple[bytes, int]:
    """The document of one page, and its number of rows. `url`: the listing's own URL, without a query."""
    page = read_page(params)
    name, traps = table.shape.stream.name, church.traps
    if name in traps.stuck_total:
        selection = selection.first(traps.stuck_total[name])
    ids = selection.on(page)
    compound = Compound(church, params)
    rows = compound.listed(table, ids)
    links, meta = _paging(url, params, page, selection.total, len(rows))
    if name in traps.missing_next and len(rows) == page.size:
        links.pop("next", None)
        meta.pop("next", None)
        meta["total_count"] = len(rows)
    meta["parent"] = parent
    meta.update(_abilities(table.shape))
    parts = [b'{"links":', orjson.dumps(links), b',"data":[', b",".join(rows), b"]"]
    return _finish(parts, compound, meta), len(rows)


def single(church: Church, table: Table, id: int, params: Params, parent: Mapping[str, str]) -> bytes:
    """The document of one record."""
    compound = Compound(church, params)
    meta: dict[str, Any] = {"parent": parent}
    if table.shape.can_include:
        meta["can_include"] = table.shape.can_include
    return _finish([b'{"data":', compound.single(table, id)], compound, meta)


def organization(church: Church, url: str) -> bytes:
    """The document at the root of a product."""
    resource = {
        "type": "Organization",
        "id": str(church.spec.organization_id),
        "attributes": {"name": church.spec.name},
        "links": {"self": url},
    }
    return orjson.dumps({"data": resource, "meta": {"parent": church.organization}})


def _finish(parts: list[bytes], compound: Compound, meta: Mapping[str, Any]) -> bytes:
    included = compound.included
    if included is not None:
        parts += [b',"included":[', b",".join(included), b"]"]
    parts += [b',"meta":', orjson.dumps(meta), b"}"]
    return b"".join(parts)


def _abilities(shape: Shape) -> dict[str, tuple[str, ...]]:
    abilities = {
        "can_order_by": shape.can_order_by,
        "can_query_by": shape.can_query_by,
        "can_include": shape.can_include,
        "can_filter": shape.can_filter,
    }
    return {name: names for name, names in abilities.items() if names}


def _paging(url: str, params: Params, page: Page, total: int, count: int) -> tuple[dict[str, str], dict[str, Any]]:
    links = {"self": _link(url, params)}
    meta: dict[str, Any] = {"total_count": total, "count": count}
    if page.offset + page.size < total:
        following = page.offset + page.size
        links["next"] = _link(url, {**params, "offset": str(following)})
        meta["next"] = {"offset": following}
    if page.offset:
        previous = max(page.offset - page.size, 0)
        links["prev"] = _link(url, {**params, "offset": str(previous)})
        meta["prev"] = {"offset": previous}
    return links, meta


def _link(url: str, params: Params) -> str:
    """A paging link: parameters in alphabetical order, values escaped, brackets in keys left as they are."""
    if not params:
        return url
    return f"{url}?{'&'.join(f'{key}={quote_plus(params[key])}' for key in sorted(params))}"
