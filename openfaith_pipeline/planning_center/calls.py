"""Requests to Planning Center, and the parts of them that may appear in messages, logs and spans."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openfaith_pipeline.catalog.source import Product

DEEP_OFFSET = 30_000
"""Above this offset a lower rate limit applies (api.planningcenteronline.com/docs/overview/rate-limiting)."""

_PATH = re.compile(r"(/([\w.~:-]|%[0-9A-Fa-f]{2})+)+/?")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is relative to the API's base URL, so that credentials cannot be sent anywhere else.

    body: the JSON:API document of a write.
    is_leading: as in RateBudget.acquire.
    """

    path: str
    params: Mapping[str, str] = field(repr=False)
    product: Product
    method: str = "GET"
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    is_leading: bool = False

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError("a path of the API starts with / and has neither host nor query")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_deep(self) -> bool:
        """Whether the lower rate limit for large offsets applies."""
        offset = self.params.get("offset", "")
        return offset.isdecimal() and int(offset) > DEEP_OFFSET
