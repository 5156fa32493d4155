"""Our assets in somebody else's Dagster: as a component with `defs.yaml`, and as a list of assets for `Definitions`.

The assets bring their own resources, so that they merge with any others. Leases of runs, retries of lost runs, sweeps
and schedules belong to the instance that we run, and are not part of it.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import dagster as dg
from pydantic import Field

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.defs.canonical_assets import canonical_assets
from openfaith_pipeline.defs.database_resource import DatabaseElsewhere
from openfaith_pipeline.defs.placement import Placement
from openfaith_pipeline.defs.preview import no_preview_warnings
from openfaith_pipeline.defs.raw_assets import product_assets
from openfaith_pipeline.defs.resources import SyncEngine
from openfaith_pipeline.errors import UnknownStream, UsageError
from openfaith_pipeline.orgs.org_ids import check_org_id
from openfaith_pipeline.sources import STREAMS

_EXAMPLE: Final = "org_01k5t0w2m1e9qv4y8z3n7b6c5d"


def planning_center_assets(
    database_url: str,
    orgs: Sequence[str],
    *,
    streams: Collection[str] | None = None,
    key_prefix: Sequence[str] = (),
    group_name: str | None = None,
    with_openfaith_tables: bool = True,
) -> list[dg.AssetsDefinition]:
    """The assets of these orgs, one partition for each, with their resources.

    database_url: of the database that `openfaith-pipeline db upgrade` has prepared and where the orgs were added; it
    may be `dg.EnvVar("NAME")`. streams: names of streams or of products, with the parents they are read under; None
    for all. with_openfaith_tables: the canonical tables too.
    Raises UsageError for no org or for one that is not an org id, UnknownStream for a name that is neither.
    """
    if not orgs:
        raise UsageError("name at least one org: `openfaith-pipeline org list` shows their ids")
    for org_id in orgs:
        check_org_id(org_id)
    place = Placement(tuple(key_prefix), group_name, dg.StaticPartitionsDefinition(list(orgs)))
    chosen = _with_parents(streams)
    products = dict.fromkeys(stream.product for stream in chosen)
    with no_preview_warnings():
        assets = [product_assets(product, place, chosen) for product in products]
        if with_openfaith_tables:
            assets.append(canonical_assets(place))
    database = DatabaseElsewhere(url=database_url)
    resources = {"database": database, "engine": SyncEngine(database=database)}
    return list(dg.with_resources(assets, resources))


def _with_parents(names: Collection[str] | None) -> list[Stream]:
    """The streams of these names, and those that have to be read before them, in the catalog's order."""
    if names is None:
        return list(STREAMS.values())
    products = {stream.product.value for stream in STREAMS.values()}
    for name in names:
        if name not in STREAMS and name not in products:
            raise UnknownStream(f"there is no stream or product {name!r}; `openfaith-pipeline catalog` lists both")
    wanted = {name for name, stream in STREAMS.items() if name in names or stream.product.value in names}
    new = wanted
    while new:
        new = {parent for name in new for parent in STREAMS[name].parents} - wanted
        wanted |= new
    return [stream for name, stream in STREAMS.items() if name in wanted]


class _Scaffolder(dg.Scaffolder[Any]):
    """Writes a `defs.yaml` that needs nothing but the org's id."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        attributes = {"database_url": "{{ env.OPENFAITH_DATABASE_URL }}", "orgs": [_EXAMPLE], "streams": ["people"]}
        dg.scaffold_component(request, attributes)


@dg.scaffold_with(_Scaffolder)
class PlanningCenterComponent(dg.Component, dg.Model, dg.Resolvable):
    """Planning Center in Postgres: an asset for each type of record, and for each table of OpenFaith's data model.

    Names, groups, owners and tags can be changed further by `post_processing`, as with every component.
    """

    database_url: str = Field(description="libpq URL of the database; keep it in the environment: {{ env.NAME }}.")
    orgs: list[str] = Field(description="Ids of the orgs, one partition each.")
    streams: list[str] | None = Field(default=None, description="Names of streams or products; all when left out.")
    key_prefix: list[str] = Field(default_factory=list, description="Before the key of every asset.")
    group_name: str | None = Field(default=None, description="Group of all assets; one for each product by default.")
    with_openfaith_tables: bool = Field(default=True, description="Whether OpenFaith's tables are assets too.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 - Dagster's signature
        """The assets, their checks, and their resources."""
        assets = planning_center_assets(
            self.database_url,
            self.orgs,
            streams=self.streams,
            key_prefix=self.key_prefix,
            group_name=self.group_name,
            with_openfaith_tables=self.with_openfaith_tables,
        )
        return dg.Definitions(assets=assets)
