"""Planning Center as a source: its names. Users and programs rely on the names derived from them."""

from typing import Final

from openfaith_pipeline.catalog.source import EventHeaders, Source
from openfaith_pipeline.network.rate_budget import RateLimit
from openfaith_pipeline.planning_center.queries import query_parameters

PLANNING_CENTER: Final = Source(
    adapter="pco",
    title="Planning Center",
    kind="planningcenter",
    account_type="Organization",
    api_url="https://api.planningcenteronline.com",
    applications_url="https://api.planningcenteronline.com/oauth/applications",
    event_headers=EventHeaders(
        event="X-PCO-Webhooks-Name",
        signature="X-PCO-Webhooks-Authenticity",
        sent_at="X-PCO-Webhooks-Event-Time",
    ),
    # api.planningcenteronline.com/docs/overview/rate-limiting
    rate_limit=RateLimit(requests=100, deep_requests=75, period=20.0),
    query=query_parameters,
)
