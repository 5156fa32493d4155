"""The way into Planning Center; see `catalog.connecting.Connector`, which this module is."""

from openfaith_pipeline.planning_center.account import read_account, read_root, read_user
from openfaith_pipeline.planning_center.client import PlanningCenterClient
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication
from openfaith_pipeline.planning_center.transport import normal_url

application = OAuthApplication
open_client = PlanningCenterClient

__all__ = ["application", "normal_url", "open_client", "read_account", "read_root", "read_user"]
