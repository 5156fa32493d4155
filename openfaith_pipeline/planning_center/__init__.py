"""The source API: client, credentials, rate budget, JSON:API documents. Nothing else in the package knows HTTP.

What is synced is the catalog's, how a listing is walked is `extract/`'s. Facts about Planning Center that shape this
room stand with the code they shape, each with its public source.
"""

from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.credentials import (
    Credentials,
    CredentialsProvider,
    OAuthToken,
    PersonalAccessToken,
)
from openfaith_pipeline.planning_center.documents import Document
from openfaith_pipeline.planning_center.rate_budget import LocalRateBudget, RateBudget
from openfaith_pipeline.planning_center.retrying import RetryLimits

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
