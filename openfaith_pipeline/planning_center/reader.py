"""How Planning Center is read; see `catalog.reading.Reader`, which this module is."""

from openfaith_pipeline.planning_center.extract.extraction import read_pages
from openfaith_pipeline.planning_center.extract.looks import list_ids, list_times, look
from openfaith_pipeline.planning_center.extract.pages import PAGE_SIZE
from openfaith_pipeline.planning_center.extract.presence import find_record
from openfaith_pipeline.planning_center.extract.product_access import ProductDoors
from openfaith_pipeline.planning_center.extract.single_record import (
    brings_more,
    brought_with,
    fetch_records,
    own_path,
    parents_on,
    path_of,
    read_record,
    route_of,
)

open_doors = ProductDoors

__all__ = [
    "PAGE_SIZE",
    "brings_more",
    "brought_with",
    "fetch_records",
    "find_record",
    "list_ids",
    "list_times",
    "look",
    "open_doors",
    "own_path",
    "parents_on",
    "path_of",
    "read_pages",
    "read_record",
    "route_of",
]
