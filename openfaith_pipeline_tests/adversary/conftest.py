"""Churches that share one service: one of them, or a stranger, means harm."""

from collections.abc import Iterator

import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.registry import add_org
from openfaith_pipeline.database import Database
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.webhooks.secrets import Subscription, keep_subscription
from openfaith_pipeline_tests.adversary.sender import EVENTS, HOSTILE, HOSTILE_KEY, KEY, PEACEFUL, secret_of
from openfaith_pipeline_tests.integration.webhooks.receiver import running_service

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def service(settings: Settings) -> Iterator[Database]:
    """The database of a service that runs, with both churches subscribed to EVENTS."""
    with running_service(settings) as database:
        subscribe_both(database)
        yield database


@pytest.fixture
def keyed(settings: Settings) -> Iterator[Database]:
    """A service with keys, one of them only for the hostile church."""
    keys = (SecretStr(f"all:{KEY}"), SecretStr(f"one:{HOSTILE_KEY}::{HOSTILE}"))
    with running_service(settings.model_copy(update={"api_keys": keys})) as database:
        subscribe_both(database)
        yield database


def subscribe_both(database: Database) -> None:
    cipher, token = cipher_from(database.settings), PersonalAccessToken("app", SecretStr("none"))
    with database.connect(row_factory=dict_row) as connection:
        for number, org_id in enumerate((HOSTILE, PEACEFUL), start=1):
            add_org(
                connection, cipher, org_id, org_id, token, organization_id=str(number), api_url=NOWHERE, adapter="pco"
            )
            for position, event in enumerate(EVENTS):
                subscription = Subscription(str(position), event, "http://here")
                keep_subscription(connection, cipher, org_id, "pco", subscription, secret_of(org_id, event))
