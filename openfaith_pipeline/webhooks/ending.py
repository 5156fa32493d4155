"""End an org's subscriptions at a source: until it wants them again, or because it is removed."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from openfaith_pipeline.connections.account import check_answering
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.sources import SUBSCRIPTIONS
from openfaith_pipeline.webhooks.secrets import Subscription, forget_subscription, subscriptions_of
from openfaith_pipeline.webhooks.state import want_subscriptions

_connect_even_paused: Final = partial(connect_client, even_paused=True)


@dataclass(frozen=True)
class LeftOver:
    """Subscriptions of a removed org. ended: number of those deleted. left: events of the others."""

    ended: int = 0
    left: tuple[str, ...] = ()
    problem: str | None = None


async def unsubscribe(
    database: Database, org_id: str, adapter: str, *, client_factory: ClientFactory = connect_client
) -> list[str]:
    """Delete our subscriptions of the org, until `want_subscriptions`; returns the names of their events.

    Raises UnknownOrg, OrgPaused, ConnectionRejected, UnavailableError or TransientError: then some may be left.
    """
    with database.connect() as connection:
        get_org(connection, org_id)
        want_subscriptions(connection, org_id, adapter, is_wanted=False)
        ours = subscriptions_of(connection, org_id, adapter)
    if not ours:
        return []
    await _end_all(database, org_id, adapter, ours, client_factory)
    return [subscription.event for subscription in ours]


async def let_go(
    database: Database,
    org_id: str,
    adapter: str,
    *,
    client_factory: ClientFactory = _connect_even_paused,
    seconds: float = 120,
) -> LeftOver:
    """Delete our subscriptions of an org that is about to be removed, within the given time.

    Removal goes ahead whatever Planning Center answers: remaining subscriptions are returned with the reason.
    """
    with database.connect() as connection:
        want_subscriptions(connection, org_id, adapter, is_wanted=False)
        ours = subscriptions_of(connection, org_id, adapter)
    if not ours:
        return LeftOver()
    problem = None
    try:
        async with asyncio.timeout(seconds):
            await check_answering(database, [org_id], adapter)
            await _end_all(database, org_id, adapter, ours, client_factory)
    except TimeoutError:
        problem = f"it took longer than {seconds:.0f} s"
    except OpenFaithError as error:
        problem = str(error)
    with database.connect() as connection:
        left = [subscription.event for subscription in subscriptions_of(connection, org_id, adapter)]
    return LeftOver(len(ours) - len(left), tuple(left), problem)


async def _end_all(
    database: Database, org_id: str, adapter: str, ours: Iterable[Subscription], client_factory: ClientFactory
) -> None:
    async with client_factory(database, org_id, adapter) as client:
        subscriptions = SUBSCRIPTIONS[adapter](client)
        for subscription in ours:
            await subscriptions.delete(subscription.subscription_id)
            with database.connect() as connection:
                forget_subscription(connection, org_id, adapter, subscription.subscription_id)
