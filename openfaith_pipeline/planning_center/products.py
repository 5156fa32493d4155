"""The products of Planning Center, each with its own grant, version and path."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from openfaith_pipeline.catalog.source import Source
from openfaith_pipeline.catalog.words import Dictionary
from openfaith_pipeline.planning_center.dictionary import DICTIONARIES
from openfaith_pipeline.planning_center.source import PLANNING_CENTER


class Product(StrEnum):
    """A Planning Center product by our name; `path_prefix` and `api_version` are Planning Center's."""

    PEOPLE = "people"
    GROUPS = "groups"
    GIVING = "giving"
    CALENDAR = "calendar"
    CHECK_INS = "check_ins"
    SERVICES = "services"
    REGISTRATIONS = "registrations"
    PUBLISHING = "publishing"
    WEBHOOKS = "webhooks"
    API = "api"

    @property
    def source(self) -> Source:
        return PLANNING_CENTER

    @property
    def schema(self) -> str:
        """Database schema, asset group and op: `pco_people`."""
        return f"{PLANNING_CENTER.adapter}_{self.value}"

    @property
    def path_prefix(self) -> str:
        """First path segment and version, such as `/check-ins/v2`."""
        return f"/{self.value.replace('_', '-')}/v2"

    @property
    def dictionary(self) -> Dictionary:
        return DICTIONARIES[self.value]

    @property
    def hides_what_is_forbidden(self) -> bool:
        """Whether it responds 200 without rows, instead of refusing, if the user may not read.

        Measured of Groups. The reference says of the lists of Registrations that they go by the user's permissions.
        """
        return self in (Product.GROUPS, Product.REGISTRATIONS)

    @property
    def holds_gifts(self) -> bool:
        """Whether its records are gifts."""
        return self is Product.GIVING

    @property
    def api_version(self) -> str:
        """Value of `X-PCO-API-Version`: the version that this product's declarations are written for."""
        return API_VERSIONS[self]

    def reference_url(self, vertex: str) -> str:
        """The public page that documents a type."""
        app = self.value.replace("_", "-")
        return f"https://api.planningcenteronline.com/docs/apps/{app}/versions/{self.api_version}/vertices/{vertex}"


# The newest version of each product whose shape is known from public definitions or recorded responses.
API_VERSIONS: Final[Mapping[Product, str]] = {
    Product.PEOPLE: "2026-06-04",
    Product.GROUPS: "2023-07-10",
    Product.GIVING: "2019-10-18",
    Product.CALENDAR: "2022-07-07",
    Product.CHECK_INS: "2025-05-28",
    Product.SERVICES: "2018-11-01",
    Product.REGISTRATIONS: "2025-05-01",
    Product.PUBLISHING: "2024-03-25",
    Product.WEBHOOKS: "2022-10-20",
    Product.API: "2025-09-30",
}
