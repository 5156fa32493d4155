"""Planning Center Webhooks: the events that can be subscribed to, and the existing subscriptions."""

from openfaith_pipeline.catalog.stream import BOOLEAN, TEXT, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

AVAILABLE_EVENTS = Stream(
    product=Product.WEBHOOKS,
    type="AvailableEvent",
    path="/webhooks/v2/available_events",
    is_listed_only=True,
    attributes={"name": TEXT, "app": TEXT, "version": TEXT, "type": TEXT, "resource": TEXT, "action": TEXT},
    population=Population(90),
)

WEBHOOK_SUBSCRIPTIONS = Stream(
    product=Product.WEBHOOKS,
    type="WebhookSubscription",
    path="/webhooks/v2/webhook_subscriptions",
    attributes={"name": TEXT, "url": TEXT, "active": BOOLEAN, "application_id": TEXT, **TIMESTAMPS},
    withheld=("authenticity_secret",),
    population=Population(4),
)
