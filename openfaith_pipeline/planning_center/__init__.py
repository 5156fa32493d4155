"""Planning Center as a source: client, JSON:API documents, streams, their extraction and their mapping.

Belongs here: facts about Planning Center, next to the code they shape, each with its public source.
Does not: storage. The
rest of the product meets it in `sources` alone, as a connector and a reader.
"""

from openfaith_pipeline.catalog.reading import Document
from openfaith_pipeline.network.credentials import (
    Credentials,
    CredentialsProvider,
    OAuthToken,
    PersonalAccessToken,
)
from openfaith_pipeline.network.rate_budget import LocalRateBudget, RateBudget
from openfaith_pipeline.network.retrying import RetryLimits
from openfaith_pipeline.planning_center.client import PlanningCenterClient

__all__ = [
    "Credentials",
    "CredentialsProvider",
    "Document",
    "LocalRateBudget",
    "OAuthToken",
    "PersonalAccessToken",
    "PlanningCenterClient",
    "RateBudget",
    "RetryLimits",
]
