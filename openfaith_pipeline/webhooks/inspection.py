"""An org's subscriptions compared with those at the source. Nothing is changed; `ensure_subscriptions` mends."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import tuple_row

from openfaith_pipeline.catalog.connecting import SOMEONE_IS_WAITING
from openfaith_pipeline.catalog.events import SubscriptionThere
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.network.rate_ledger import Priority
from openfaith_pipeline.sources import SOURCES, SUBSCRIPTIONS, event_named
from openfaith_pipeline.webhooks.gaps import RECEIVER
from openfaith_pipeline.webhooks.secrets import Subscription, subscribed_orgs, subscriptions_of
from openfaith_pipeline.webhooks.state import state_of
from openfaith_pipeline.webhooks.subscriptions import receiver_url

LAST_IN_LINE: Final[ClientFactory] = partial(connect_client, priority=Priority.VERIFY, retry=SOMEONE_IS_WAITING)


@dataclass(frozen=True)
class Inspected:
    """Names of events.

    missing: not subscribed to. disabled: by Planning Center. elsewhere: ours, to a former address. extra: the second
    of two of one event, or one to this org's receiver at an address that is not known here. unwanted: ours, although
    the org was unsubscribed.
    """

    missing: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


def may_be_subscribed(database: Database) -> bool:
    """Whether any org has subscriptions, or may have."""
    with database.connect() as connection:
        return bool(database.settings.public_url or subscribed_orgs(connection))


async def inspect_subscriptions(
    database: Database, org_id: str, adapter: str, *, client_factory: ClientFactory = LAST_IN_LINE
) -> Inspected | None:
    """Compare the org's subscriptions with those at the source.

    Returns None, without a request, if the org has none and, for lack of a public URL, can have none. Raises
        OrgPaused, and the errors of a client's requests.
    """
    with database.connect() as connection:
        kept, state = subscriptions_of(connection, org_id, adapter), state_of(connection, org_id, adapter)
    url = receiver_url(database.settings, org_id, adapter) if database.settings.public_url else None
    if url is None and not kept:
        return None
    async with client_factory(database, org_id, adapter) as client:
        subscriptions = SUBSCRIPTIONS[adapter](client)
        offered = [name for name in await subscriptions.offered() if event_named(name, adapter)]
        there = list(await subscriptions.there())
    suffix = f"{SOURCES[adapter].events_path}/{org_id}"
    ours = [each for each in there if each.url.endswith(suffix)]
    if not state.is_wanted:
        return Inspected(unwanted=_names(ours))
    return _compared(offered, ours, kept, url)


def _compared(
    offered: Collection[str], ours: Sequence[SubscriptionThere], kept: Sequence[Subscription], url: str | None
) -> Inspected:
    known = {each.subscription_id for each in kept}
    # If no public URL is set here, as beside `dev`, the service that subscribed knows its own.
    addresses = {url} if url else {each.url for each in kept}
    right = [each for each in ours if each.url in addresses]
    wrong = [each for each in ours if each.url not in addresses]
    seen = Counter(each.event for each in right)
    twice = [event for event, number in seen.items() for _ in range(number - 1)]
    return Inspected(
        missing=tuple(sorted(set(offered) - seen.keys())) if url else (),
        disabled=_names(each for each in right if not each.is_active),
        elsewhere=_names(each for each in wrong if each.id in known),
        extra=tuple(sorted([*twice, *(each.event for each in wrong if each.id not in known)])),
    )


def _names(there: Any) -> tuple[str, ...]:
    return tuple(sorted(each.event for each in there))


def receiver_silence(connection: Connection[Any]) -> timedelta | None:
    """Time since a service that receives deliveries was last alive; None if none ever was."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT now() - beat_at FROM sync.webhook_beats WHERE name = %s", (RECEIVER,)).fetchone()
    return row[0] if row else None
