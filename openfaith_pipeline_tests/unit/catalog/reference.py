"""Planning Center's public reference, as facts to compare the declarations with."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openfaith_pipeline.catalog import Stream

FACTS = Path(__file__).parents[4] / "shared/pco-api/catalog.json"


@cache
def read_facts() -> Mapping[str, Any]:
    """The parsed reference; skips the test where it is absent."""
    if not FACTS.exists():
        pytest.skip("the reference facts are not on this machine")
    facts: Mapping[str, Any] = json.loads(FACTS.read_text())
    return facts


def snake(type_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type_name).lower()


class Relationship(NamedTuple):
    """target: type the reference names, None when polymorphic."""

    target: str | None
    is_many: bool


class Documented:
    """What the reference says of one stream's type."""

    def __init__(self, stream: Stream) -> None:
        self.product = read_facts()["products"][stream.product.value.replace("_", "-")]
        self.type: Mapping[str, Any] = self.product["resources"][stream.type]

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Attribute -> documented type, of those that a list returns without being asked."""
        return {each["name"]: each["type"] for each in self.type["attributes"] if not each.get("fields_param_only")}

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
        """What `include=` offers -> its type."""
        return {each["name"]: each["returns"] for each in self.type["can_include"]}

    @cached_property
    def paths(self) -> set[str]:
        """Paths that lead to records of the type."""
        ways = self.type["enumerate"]
        enumerated = {way["path"] for way in (ways, ways.get("fallback") or ways)}
        return {each["path"] for each in self.type["list_endpoints"]} | enumerated

    @cached_property
    def singular_paths(self) -> set[str]:
        """Those of `paths` that lead to one record, not to a list."""
        return {each["path"] for each in self.type["list_endpoints"] if each["cardinality"] == "one"}

    @cached_property
    def is_unconfirmed(self) -> bool:
        return bool(self.type["top_level"]) and not self.type["top_level"]["confirmed"]

    def can(self, how: str, attribute: str) -> bool:
        """how: `where` or `order`."""
        return bool(self.type["incremental"][f"{how}_{attribute}"])

    def includes_many(self, name: str) -> bool:
        """Whether the path from a record of the type to what it includes as `name` leads to a list."""
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
