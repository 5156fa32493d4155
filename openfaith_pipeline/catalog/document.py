"""docs/catalog.md, written from the declarations: what becomes of each type that Planning Center documents."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Strategy, Stream

_INTRODUCTION = """\
# What is synced

Written by `make docs` from the declarations in `openfaith_pipeline/planning_center/streams/`; change those, not this.

Of the {types} types that Planning Center documents, {streams} are synced; the others stand with their reasons at
the end of their product.

A stream is one type of Planning Center and one raw table: {example}. Besides the columns
listed, each table has `org_id` and `id`, which are its key, `_extra` for attributes that no declaration names and for
values that do not fit their column, and `_content_hash`, `_first_seen_at`, `_synced_at`, `_deleted_at` and `_sync_id`.
What a record refers to many of is in a table of links, with `org_id`, `id`, `related_id` and `position`.

How the records of a stream are found:

{strategies}
"""

_STRATEGIES: Mapping[Strategy, str] = {
    Strategy.INCREMENTAL: "changes since the last sync, filtered and ordered by the cursor",
    Strategy.FILTERED: "changes since the last sync, filtered by the cursor but in the order of the list",
    Strategy.ORDERED: "newest change first, back to one that the last sync has seen",
    Strategy.APPEND: "records added since the last sync; existing records do not change",
    Strategy.FULL: "the whole list, compared by content",
    Strategy.SINGLETON: "the only record, compared by content",
    Strategy.INCLUDED: "included in the pages of the parent, without requests of their own",
    Strategy.CHILD: "one list for each parent, read in the way given with it",
    Strategy.PUSHED: "from webhook events only: no list shows the records, so those from before the subscription and"
    " those of a lost event are missing",
}


class Reason(StrEnum):
    """The reason for not syncing a type, as a sentence for docs/catalog.md."""

    ANOTHER_NAME = "Records of another type under the name of their role in it; that type is synced."
    DERIVED = "Computed from other types, which are synced."
    GONE = "No longer in the newer versions of the reference."
    OTHER_ORGANIZATIONS = "Describes the same person in other organizations, which are not this church's to keep."
    PER_USER = "Shows only the data of the user whose token it is, so it says nothing about the church."
    PLUMBING = "Internals of Planning Center's API, not the church's data."
    SAME_ROWS = "The same records as `services.plan_people`, seen from the person."
    TRANSIENT = "The state of a running job, gone when the job is done."
    UI_STATE = "The current state of a screen, not the church's data."
    UNDOCUMENTED = (
        "In no reference, and one list for each person; each change of a person that we read is in the journal."
    )
    UNROUTED = "Documented as a type, but no path leads to it."


def render_catalog(streams: Iterable[Stream], not_synced: Mapping[Product, Mapping[str, Reason]]) -> str:
    """The document in Markdown: each product's streams, and its types that are none with the reason."""
    by_product: dict[Product, list[Stream]] = {}
    for stream in streams:
        by_product.setdefault(stream.product, []).append(stream)
    example = next(f"`{stream.name}` is `{stream.schema}.{stream.short_name}`" for [stream, *_] in by_product.values())
    by_product |= {product: [] for product in not_synced if product not in by_product}
    strategies = "\n".join(f"- **{strategy.value}**: {meaning}." for strategy, meaning in _STRATEGIES.items())
    synced = sum(map(len, by_product.values()))
    types = synced + sum(map(len, not_synced.values()))
    sections = [_INTRODUCTION.format(example=example, types=types, streams=synced, strategies=strategies)]
    for product, members in by_product.items():
        skipped = not_synced.get(product, {})
        if members or skipped:
            sections.append("\n".join(_section(product, members, skipped)))
    return "\n".join(sections)


def _section(product: Product, members: list[Stream], skipped: Mapping[str, Reason]) -> Iterator[str]:
    yield f"## {product.value.replace('_', '-').title()}"
    yield ""
    yield f"Version {product.api_version} of the API. Schema and asset group `{product.schema}`."
    yield ""
    if members:
        yield "| stream | type | read as | path | columns | refers to |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(stream) for stream in members)
        yield ""
    if skipped:
        yield "Not synced:"
        yield ""
        yield from (f"- **{type_name}**: {reason.value}" for type_name, reason in sorted(skipped.items()))
        yield ""


def _row(stream: Stream) -> str:
    cells = (
        f"`{stream.name}`",
        f"[{stream.type}]({stream.reference_url})",
        _reading(stream),
        _paths(stream),
        _columns(stream),
        _references(stream),
    )
    return f"| {' | '.join(cells)} |"


def _reading(stream: Stream) -> str:
    if stream.carried_as:
        return f"{stream.strategy.value} with {_names(stream.parents)} as `{stream.carried_as}`"
    if stream.is_pushed:
        return stream.strategy.value
    way = f"{stream.listing.value} by `{stream.cursor}`" if stream.cursor else stream.listing.value
    return f"{stream.strategy.value} of {_names(stream.parents)}: {way}" if stream.placeholders else way


def _paths(stream: Stream) -> str:
    path = f"`{stream.path}`"
    if stream.is_pushed:
        return "none"
    path += "".join(f"<br>with `{name}={value}`" for name, value in stream.asks_all.items())
    if not stream.is_unconfirmed:
        return "<br>and ".join([path, *(f"`{other}`" for other in (*stream.hidden_under, *stream.also_under))])
    instead = " and ".join(f"`{other}`" for other in stream.paths(is_path_absent=True))
    return f"{path}<br>where it exists" + (f"; else {instead}" if instead else "")


def _columns(stream: Stream) -> str:
    columns = [f"`{name}` {kind.value}" for name, kind in stream.columns.items()]
    withheld = [f"never `{name}`" for name in stream.withheld]
    return ", ".join(columns + withheld) or "none"


def _references(stream: Stream) -> str:
    to_one = [f"`{name}` {f'`{target}`' if target else 'any'}" for name, target in stream.belongs_to.items()]
    to_many = [
        f"`{name}` many {f'`{target}`' if target else 'of a type not synced'} in `{stream.links[name]}`"
        for name, target in sorted(stream.has_many.items())
    ]
    listers = [
        f"each `{stream.belongs_to[kind]}` that lists it in `{stream.links[name]}`"
        for name, kind in stream.listed_by.items()
    ]
    return ", ".join(to_one + to_many + listers) or "none"


def _names(streams: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in streams)
