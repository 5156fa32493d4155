"""The way into Planning Center; see `catalog.connecting.Connector`, which this module is."""

from openfaith_pipeline.planning_center.account import read_account, read_root, read_user
from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.own_settings import api_url, application, most_connections, scopes
from openfaith_pipeline.planning_center.transport import normal_url

open_client = PlanningCenterClient

__all__ = [
    "api_url",
    "application",
    "most_connections",
    "normal_url",
    "open_client",
    "read_account",
    "read_root",
    "read_user",
    "scopes",
]
