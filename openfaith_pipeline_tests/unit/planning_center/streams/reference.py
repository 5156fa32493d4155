"""Planning Center's public reference with later corrections, as facts to compare the declarations with."""

import json
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.products import Product

FACTS = Path(__file__).parents[5] / "shared/pco-api/catalog.json"
CORRECTIONS = FACTS.with_name("corrections.json")

UNTOLD = "untold"
"""The documented type of an attribute of which only the name is known."""


@cache
def read_facts() -> Mapping[str, Any]:
    """The parsed reference; skips the test where it is absent."""
    if not FACTS.exists():
        pytest.skip("the reference facts are not on this machine")
    facts: Mapping[str, Any] = json.loads(FACTS.read_text())
    return facts


@cache
def read_corrections() -> Mapping[str, Any]:
    """The corrections of the reference; skips the test where they are absent."""
    if not CORRECTIONS.exists():
        pytest.skip("the corrections are not on this machine")
    corrections: Mapping[str, Any] = json.loads(CORRECTIONS.read_text())
    return corrections


def added_types() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(product, type, facts) of every type that the reference lacks."""
    for each in read_corrections()["types_not_declared"]:
        yield each["product"], each["type"], each


def _as_documented(added: Mapping[str, Any]) -> Mapping[str, Any]:
    """A type that the reference lacks, in the form of those that it has."""
    path = added["path"].replace("...", "/services/v2/service_types/{service_type_id}/plans/{plan_id}", 1)
    others = read_facts()["products"][added["product"]]["resources"]
    targets = {name: name.title() for name in added.get("relationships", ()) if name.title() in others}
    return {
        "type": added["type"],
        "attributes": [{"name": name, "type": UNTOLD} for name in added.get("attributes", ())],
        "relationships": [
            {
                "name": name,
                "type": targets.get(name, ""),
                "polymorphic": name not in targets,
                "cardinality": "to-many" if name.endswith("s") else "to-one",
            }
            for name in added.get("relationships", ())
        ],
        "can_include": [],
        "enumerate": {"path": path},
        "list_endpoints": [{"path": path, "cardinality": "many"}] if path.startswith("/") else [],
        "top_level": None,
        "incremental": dict.fromkeys(
            f"{how}_{name}" for how in ("where", "order") for name in ("created_at", "updated_at")
        ),
    }


class Better(NamedTuple):
    """A way to read a type with fewer requests, according to the corrections.

    path: another listing. parents: the parents of that listing. can: a filter or order that it supports, such
    as `order_updated_at`.
    """

    path: str | None
    parents: tuple[str, ...] | None
    can: str | None


def better_ways() -> Iterator[tuple[str, Better]]:
    """(stream, way) of every better strategy of the corrections."""
    parents: Mapping[str, tuple[str, ...]] = {
        "top-level lists exist": (),
        "a list for each service type": ("service_type",),
    }
    asked = {"order=updated_at": "order_updated_at", "where[updated_at]": "where_updated_at"}
    for each in read_corrections()["better_strategies"]:
        path, _, query = each["better"].partition("?") if each["better"].startswith("/") else ("", "", each["better"])
        way = Better(path or None, parents.get(query), asked.get(query))
        assert way.parents is not None or way.can, each
        for name in each["stream"].split(", "):
            yield name, way


def _undocumented_paths() -> Iterator[str]:
    """Paths of the reference that nothing else knows, with the placeholders that the reference has in them."""
    for each in read_corrections()["paths_in_no_documentation"]["without_a_fallback"]:
        product, _, path = each.partition(" ")
        yield f"{Product(product).path_prefix}{path.replace('/locations/{id}', '/locations/{location_id}')}"


class Relationship(NamedTuple):
    """target: type the reference names, None when polymorphic."""

    target: str | None
    is_many: bool


class Documented:
    """The reference's description of one stream's type."""

    def __init__(self, stream: Stream) -> None:
        self.product = read_facts()["products"][stream.product.value.replace("_", "-")]
        self.stream = stream.name
        added = {(product, name): known for product, name, known in added_types()}
        known = added.get((stream.product.value, stream.type))
        self.type: Mapping[str, Any] = _as_documented(known) if known else self.product["resources"][stream.type]

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Attribute -> documented type, for the attributes that a listing returns by default."""
        documented = {
            each["name"]: each["type"] for each in self.type["attributes"] if not each.get("fields_param_only")
        }
        corrected = {
            each["attribute"]: each["is"]
            for each in read_corrections()["column_types"]
            if each["stream"] == self.stream
        }
        found = read_corrections()["attributes_given_by_default_and_not_declared"].get(self.stream, ())
        return {**dict.fromkeys(found, UNTOLD), **documented, **corrected}

    @cached_property
    def only_asked(self) -> dict[str, str]:
        """Attribute -> documented type, of those that a list returns only for `fields[...]`."""
        return {each["name"]: each["type"] for each in self.type["attributes"] if each.get("fields_param_only")}

    @cached_property
    def found_relationships(self) -> dict[str, bool]:
        """Relationships that the reference lacks -> whether they are to many."""
        found = read_corrections()["relationships_not_declared"].get(self.stream, ())
        return {each.removesuffix(" (many)"): each.endswith(" (many)") for each in found}

    @cached_property
    def shown(self) -> dict[str, Relationship]:
        """Relationships that a record shows by itself, that to the organization aside."""
        return {
            each["name"]: Relationship(
                None if each.get("polymorphic") else each["type"], each["cardinality"] == "to-many"
            )
            for each in self.type["relationships"]
            if each["type"] != "Organization" or each.get("polymorphic")
        }

    @cached_property
    def includable(self) -> dict[str, str]:
        """Value of `include=` -> type of the included records."""
        return {each["name"]: each["returns"] for each in self.type["can_include"]}

    @cached_property
    def paths(self) -> set[str]:
        """Paths that lead to records of the type."""
        ways = self.type["enumerate"]
        enumerated = {way["path"] for way in (ways, ways.get("fallback") or ways)}
        better = {way.path for way in self.better if way.path}
        return {each["path"] for each in self.type["list_endpoints"]} | enumerated | better

    @cached_property
    def better(self) -> tuple[Better, ...]:
        """Ways to read the type with fewer requests that the reference does not show."""
        return tuple(way for name, way in better_ways() if name == self.stream)

    @cached_property
    def singular_paths(self) -> set[str]:
        """Those of `paths` that lead to one record, not to a list."""
        return {each["path"] for each in self.type["list_endpoints"] if each["cardinality"] == "one"}

    @cached_property
    def is_unconfirmed(self) -> bool:
        is_undocumented = any(path in self.paths for path in _undocumented_paths())
        is_seen = not self.type["top_level"] or self.type["top_level"]["confirmed"]
        return not is_seen or is_undocumented or any(way.path for way in self.better)

    @property
    def is_collection_only(self) -> bool:
        """Whether only lists show records of the type: the reference has no path to a single one."""
        return bool(self.type.get("flags", {}).get("collection_only"))

    def can(self, how: str, attribute: str) -> bool:
        """how: `where` or `order`."""
        can = f"{how}_{attribute}"
        return bool(self.type["incremental"][can]) or any(way.path and way.can == can for way in self.better)

    def includes_many(self, name: str) -> bool:
        """Whether the include `name` of the type is a list."""
        edges = (
            each["cardinality"]
            for resource in self.product["resources"].values()
            for each in resource["list_endpoints"]
            if each.get("parent") == self.type["type"] and each["path"].rsplit("/", 1)[-1] == name
        )
        return "many" in edges


def planned() -> Iterator[tuple[str, str, str]]:
    """(product, type, strategy) of every documented type, by the reference's recommendation."""
    for product, types in read_facts()["sync_plan"]["products"].items():
        for each in types:
            yield product.replace("-", "_"), each["type"], each["strategy"]
