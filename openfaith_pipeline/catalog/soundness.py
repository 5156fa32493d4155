"""Contradictions in the declaration of a stream."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from openfaith_pipeline.catalog.placeholders import placeholders_of

if TYPE_CHECKING:
    from openfaith_pipeline.catalog.stream import Stream


def problems_of(stream: "Stream") -> Iterator[str]:
    """Contradictions in the declaration; none if it is sound."""
    yield from _path_problems(stream)
    yield from _cursor_problems(stream)
    yield from _relationship_problems(stream)


def _path_problems(stream: "Stream") -> Iterator[str]:
    for path in stream.all_paths:
        if not path.startswith(stream.product.path_prefix):
            yield f"path {path} is outside {stream.product.path_prefix}"
        for placeholder in placeholders_of(path):
            if not stream.stream_behind(placeholder):
                yield f"{{{placeholder}_id}} needs belongs_to[{placeholder!r}]"
    if stream.carried_as and not stream.placeholders:
        yield "carried_as needs a path under the parent"
    if {path.partition("?")[0] for path in stream.hidden_under} - {*stream.all_paths}:
        yield "hidden_under names a path that is not one of its listings"
    if set(placeholders_of(stream.deleted_under)) - set(placeholders_of(stream.path)):
        yield "deleted_under needs parents that path does not have"
    if stream.is_pushed and (stream.placeholders or stream.carried_as or stream.is_unconfirmed or stream.also_under):
        yield "a pushed stream has no listings"
    if stream.fallback_path and not stream.is_unconfirmed:
        yield "fallback_path is for a path that may be absent"
    if stream.counted_by.keys() - set(stream.placeholders):
        yield "counted_by names a type that is not a parent listing it"
    if stream.walked_under.keys() - {name for path in stream.all_paths for name in placeholders_of(path)}:
        yield "walked_under names a placeholder that is in no path"


def _cursor_problems(stream: "Stream") -> Iterator[str]:
    if not stream.cursor:
        return
    if stream.cursor not in stream.attributes:
        yield f"cursor {stream.cursor} is not a declared attribute"
    if not stream.is_cursor_filterable and not stream.is_cursor_orderable:
        yield f"cursor {stream.cursor} can neither filter nor order"
    if stream.carried_as:
        yield "an included stream is read with its parent and follows no cursor of its own"


def _relationship_problems(stream: "Stream") -> Iterator[str]:
    if set(stream.asks_for) - stream.belongs_to.keys() - stream.has_many.keys():
        yield "asks_for names an undeclared relationship"
    if set(stream.unshown) - {name for path in stream.all_paths for name in placeholders_of(path)}:
        yield "unshown names a relationship that no path leads through"
    if set(stream.unshown) - (stream.belongs_to.keys() - set(stream.asks_for)):
        yield "unshown names an undeclared relationship, or one in asks_for"
    if set(stream.seldom) - stream.belongs_to.keys():
        yield "seldom names an undeclared relationship"
    if stream.belongs_to.keys() & (stream.has_many.keys() | stream.walked_under.keys()):
        yield "a relationship is declared twice"
    if set(stream.listed_by.values()) - set(stream.listing_kinds):
        yield "listed_by names a placeholder that is not a parent with a listing"
    if stream.listed_by.keys() & (stream.has_many.keys() | stream.belongs_to.keys()):
        yield "listed_by names a relationship"
    if set(stream.touches) - stream.belongs_to.keys():
        yield "touches names an undeclared relationship"
    if stream.comes_with and (len(stream.comes_with) > 1 or stream.placeholders or not stream.companion_relationships):
        yield "comes_with must name one stream, which a record listed at top level belongs to"
    if set(stream.withheld) & stream.attributes.keys():
        yield "a withheld attribute is declared"
    if set(stream.only_asked) - stream.attributes.keys():
        yield "only_asked names an undeclared attribute"
    if stream.only_asked and stream.carried_as:
        yield "an included stream's records are always requested by name, so only_asked does not apply"
