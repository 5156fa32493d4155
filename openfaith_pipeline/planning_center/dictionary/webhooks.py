"""Descriptions of the types of Webhooks and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries

TABLES: Final[Mapping[str, str]] = {
    "available_events": "Events that webhooks can be subscribed to",
    "webhook_subscriptions": "Webhooks that are subscribed to",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "available_events": {
        "name": "Name of the event, such as people.v2.events.person.updated",
        "app": "Product that the event is of",
        "version": "Version of the product's API",
        "type": "Kind of event",
        "resource": "Type of record that the event is about",
        "action": "Kind of change of the record",
    },
    "webhook_subscriptions": {
        "name": "Name of the event",
        "url": "Web address that the event is sent to",
        "active": "Whether events are sent",
        "application_id": "Id of the application that subscribed",
    },
}
