"""docs/catalog/, written from the declarations: every table and column, and the types that are not synced."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Strategy, Stream
from openfaith_pipeline.catalog.words import describe_columns, describe_links, describe_table

Skipped = Mapping[Product, Mapping[str, str]]
"""The types that are not synced, each with the reason."""

_INDEX = """\
# What is synced

Written by `make docs` from the declarations in `openfaith_pipeline/planning_center/streams/` and their words in
`openfaith_pipeline/planning_center/dictionary/`; change those, not this. `openfaith-pipeline catalog --stream NAME`
shows the same, and so do Postgres (`\\d+ {table}` in psql) and the columns of each asset in Dagster.

Of the {types} types that Planning Center documents, {streams} are synced. The others stand with their reasons at the
end of their product's page.

| product | streams | not synced | schema |
|---|---|---|---|
{products}

## Tables

A stream is one type of Planning Center and one raw table: {example}. Besides the columns listed on the pages, each
table has:

| column | holds | description |
|---|---|---|
{ours}

A record that refers to many others has a table of links, with `org_id`, `id`, `related_id` and `position`.

## Sensitive columns

Columns are marked **personal**, **financial** or **health**. The mark stands at the end of the column's comment in
Postgres, and is the tag `openfaith/sensitivity` of the column in Dagster:

```sql
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE col_description(attrelid, attnum) LIKE '%[health]';
```

An id of a person is not marked: it says nothing without the row it leads to. Neither is what a church shows publicly,
such as its campuses' addresses and the speakers of its episodes. A text that anybody may write into, such as a
description, may hold more than its mark says.

## How the records of a stream are found

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
    """The reason for not syncing a type, as a sentence for docs/catalog/."""

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


def render_pages(streams: Iterable[Stream], not_synced: Skipped) -> Mapping[str, str]:
    """The pages in Markdown by file name: an index, and one page for each product."""
    by_product: dict[Product, list[Stream]] = {}
    for stream in streams:
        by_product.setdefault(stream.product, []).append(stream)
    by_product |= {product: [] for product in not_synced if product not in by_product}
    pages = {
        _file(product): "\n".join(_page(product, members, not_synced.get(product, {})))
        for product, members in by_product.items()
    }
    return {"README.md": _index(by_product, not_synced), **pages}


def _index(by_product: Mapping[Product, list[Stream]], not_synced: Skipped) -> str:
    example = next(stream for members in by_product.values() for stream in members)
    described = describe_columns(example)
    ours = [name for name in described if name in {"org_id", "id"} or name.startswith("_")]
    synced = sum(map(len, by_product.values()))
    return _INDEX.format(
        types=synced + sum(map(len, not_synced.values())),
        streams=synced,
        table=example.raw_table,
        example=f"`{example.name}` is `{example.raw_table}`",
        products="\n".join(
            f"| [{_title(product)}]({_file(product)}) | {len(members)} | {len(not_synced.get(product, {}))} "
            f"| `{product.schema}` |"
            for product, members in by_product.items()
        ),
        ours="\n".join(f"| `{name}` | {described[name].mark or ''} | {described[name].text} |" for name in ours),
        strategies="\n".join(f"- **{strategy.value}**: {meaning}." for strategy, meaning in _STRATEGIES.items()),
    )


def _page(product: Product, members: list[Stream], skipped: Mapping[str, str]) -> Iterator[str]:
    yield f"# {_title(product)}"
    yield ""
    yield f"Written by `make docs`. Version {product.api_version} of the API. Schema and group `{product.schema}`."
    yield "The columns that every table has, the marks and the ways of reading are explained in [the index](README.md)."
    yield ""
    if members:
        yield "| stream | records |"
        yield "|---|---|"
        yield from (
            f"| [`{stream.short_name}`](#{stream.short_name}) | {describe_table(stream)} |" for stream in members
        )
        yield ""
    for stream in members:
        yield from _section(stream)
    if skipped:
        yield "## Not synced"
        yield ""
        yield from (f"- **{type_name}**: {reason}" for type_name, reason in sorted(skipped.items()))
        yield ""


def _section(stream: Stream) -> Iterator[str]:
    yield f"## {stream.short_name}"
    yield ""
    yield f"{describe_table(stream)}. Type [{stream.type}]({stream.reference_url}), table `{stream.raw_table}`."
    yield ""
    yield f"- Read as: {_reading(stream)}"
    yield f"- Path: {_paths(stream)}"
    if stream.deleted_under:
        yield f"- Deleted records, read as proof only: `{stream.deleted_under}`"
    if stream.parents:
        yield f"- Parents: {_names(stream.parents)}"
    if stream.withheld:
        yield f"- Never requested nor stored: {_names(stream.withheld)}"
    yield ""
    if stream.columns:
        yield from _columns(stream)
        yield ""
    for relationship, table in stream.links.items():
        words = describe_links(stream, relationship)["related_id"].text
        yield f"Table of links `{stream.schema}.{table}`. `related_id`: {words[0].lower()}{words[1:]}."
        yield ""


def _columns(stream: Stream) -> Iterator[str]:
    yield "| column | type | holds | description |"
    yield "|---|---|---|---|"
    described = describe_columns(stream)
    for name, kind in stream.columns.items():
        words = described.get(name)
        yield f"| `{name}` | {kind.value} | {(words and words.mark) or ''} | {words.text if words else ''} |"


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


def _names(names: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _title(product: Product) -> str:
    return product.value.replace("_", "-").title()


def _file(product: Product) -> str:
    return f"{product.value.replace('_', '-')}.md"
