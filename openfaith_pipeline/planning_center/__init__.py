"""Planning Center as a source: client, credentials, rate budget, JSON:API documents, streams and their extraction.

Facts about Planning Center stand next to the code they shape, each with its public source.
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
