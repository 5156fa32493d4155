"""Planning Center API: the applications that a church has connected."""

from openfaith_pipeline.catalog.stream import TEXT, TIMESTAMP, Population, Stream
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.API,
    type="Organization",
    path="/api/v2",
    table="organization",
    is_singleton=True,
    attributes={},
    population=Population(1),
)

CONNECTED_APPLICATIONS = Stream(
    product=Product.API,
    type="ConnectedApplication",
    path="/api/v2/connected_applications",
    attributes={"name": TEXT, "url": TEXT, "description": TEXT},
    population=Population(4),
)

CONNECTED_APPLICATION_PEOPLE = Stream(
    product=Product.API,
    type="ConnectedApplicationPerson",
    path="/api/v2/connected_applications/{connected_application_id}/people",
    table="connected_application_people",
    attributes={"first_name": TEXT, "last_name": TEXT, "avatar_url": TEXT, "connected_at": TIMESTAMP},
    belongs_to={"connected_application": "api.connected_applications"},
    unshown=("connected_application",),
    population=Population(3, per="api.connected_applications"),
)
