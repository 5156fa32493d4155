"""Descriptions of the types of Api and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as the API knows it",
    "connected_applications": "Programs that people of the church connected",
    "connected_application_people": "Who connected which program",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "connected_applications": {
        "url": "Web address of the program",
    },
    "connected_application_people": {
        "connected_at": "When the person connected it",
    },
}
