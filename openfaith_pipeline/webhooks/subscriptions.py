"""Keep an org subscribed to every webhook event about a synced type."""

import random
from collections.abc import Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.alerts.incidents import raise_alert, resolve_alert
from openfaith_pipeline.catalog.events import Subscriptions, SubscriptionThere
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import (
    ConfigurationError,
    ConnectionRejected,
    DatabaseUnavailable,
    OrgPaused,
    RetriableError,
    UnavailableError,
    UnexpectedResponse,
)
from openfaith_pipeline.orgs.org_settings import settings_of
from openfaith_pipeline.orgs.registry import get_org
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import SOURCES, SUBSCRIPTIONS, event_named
from openfaith_pipeline.webhooks.gaps import fill_gap
from openfaith_pipeline.webhooks.secrets import (
    Subscription,
    forget_subscription,
    keep_subscription,
    secret_of,
    subscriptions_of,
)
from openfaith_pipeline.webhooks.state import CHECK_AGAIN_IN, state_of

CHECK_EVERY: Final = timedelta(hours=1)
CHECK_REFUSED_EVERY: Final = timedelta(hours=6)
SENT_WITHIN: Final = timedelta(days=1)
"""For how long an alert about subscriptions that are in order again waits to be sent."""


@dataclass(frozen=True)
class Ensured:
    """State of an org's subscriptions at a source after a check.

    events, added, enabled: names of all events, of those added, and of those enabled again.

    problem: why some or all could not be subscribed to.
    lost: those that were subscribed to before and that somebody has deleted at the source.
    """

    org_id: str
    adapter: str
    events: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    problem: str | None = None
    lost: frozenset[str] = frozenset()


_CONCLUDE: Final = """
INSERT INTO sync.source_webhooks AS had (org_id, adapter, ensured_at, next_check_at, problem)
VALUES (%(org)s, %(adapter)s, CASE WHEN %(problem)s::text IS NULL THEN now() END, now() + %(wait)s, %(problem)s)
ON CONFLICT (org_id, adapter) DO UPDATE SET next_check_at = excluded.next_check_at, problem = excluded.problem,
    ensured_at = coalesce(excluded.ensured_at, had.ensured_at)
"""

_CUT_SHORT: Final = "the check was interrupted"


def receiver_url(settings: Settings, org_id: str, adapter: str) -> str:
    """URL for an org's deliveries. Raises ConfigurationError without a public URL."""
    if settings.public_url is None:
        raise ConfigurationError(
            "OPENFAITH_PUBLIC_URL is not set: set it to the address at which Planning Center reaches the service"
        )
    return f"{settings.public_url.rstrip('/')}{SOURCES[adapter].events_path}/{org_id}"


async def ensure_subscriptions(
    database: Database, org_id: str, adapter: str, *, client_factory: ClientFactory = connect_client
) -> Ensured:
    """Add missing subscriptions and enable those that Planning Center disabled; subscriptions of others are left alone.

    There is one for each event about a stream that the org syncs. After the first time, a sync fills the gap before
    those that are new or enabled again, and those that were lost or disabled raise an alert. If an org cannot
    subscribe, the reason is recorded and returned; its syncs are not affected. Raises UnknownOrg, DatabaseUnavailable.
    """
    with database.connect() as connection:
        get_org(connection, org_id)
        state = state_of(connection, org_id, adapter)
    done, is_first = _Done(), state.ensured_at is None
    try:
        url = receiver_url(database.settings, org_id, adapter)
        async with client_factory(database, org_id, adapter) as client:
            subscriptions = SUBSCRIPTIONS[adapter](client)
            desk = _Desk(database, cipher_from(database.settings), subscriptions, org_id, adapter, url, done)
            problem = await desk.ensure()
        wait = CHECK_EVERY if problem is None else CHECK_REFUSED_EVERY
    except (RetriableError, OrgPaused) as error:
        problem, wait = str(error), CHECK_AGAIN_IN
    except (ConfigurationError, ConnectionRejected, UnavailableError, UnexpectedResponse) as error:
        problem, wait = str(error), CHECK_REFUSED_EVERY
    except BaseException:  # the service ends: the next check finds in order all that this one has mended
        with suppress(DatabaseUnavailable, *TROUBLE), database.connect() as connection:
            _conclude(connection, done.described(org_id, adapter, _CUT_SHORT), CHECK_AGAIN_IN, is_first=is_first)
        raise
    ensured = done.described(org_id, adapter, problem)
    with database.connect() as connection:
        _conclude(connection, ensured, wait, is_first=is_first)
    return ensured


def _is_about(name: str, adapter: str, chosen: Collection[str]) -> bool:
    """Whether the source's event of this name is about one of these streams."""
    event = event_named(name, adapter)
    return event is not None and event.stream.name in chosen


def _conclude(connection: Connection[Any], ensured: Ensured, wait: timedelta, *, is_first: bool) -> None:
    """Record the result, raise alerts, and request a sync for the gap."""
    spread = wait * random.uniform(0.9, 1.1)  # noqa: S311 - spreads the load, protects nothing
    connection.execute(
        _CONCLUDE,
        {"org": ensured.org_id, "adapter": ensured.adapter, "problem": ensured.problem, "wait": spread},
    )
    gap = ensured.enabled if is_first else (*ensured.enabled, *ensured.added)
    fill_gap(connection, ensured.org_id, ensured.adapter, gap)
    failed = (*ensured.enabled, *ensured.lost)
    if failed:
        raise_alert(connection, "webhooks_disabled", ensured.org_id, *_alert(ensured, failed), incident=ensured.adapter)
    elif ensured.problem is None:
        # The trouble is over when it is noticed; people hear of it all the same.
        resolve_alert(connection, "webhooks_disabled", ensured.org_id, incident=ensured.adapter, unsent_for=SENT_WITHIN)


def _alert(ensured: Ensured, failed: Collection[str]) -> tuple[str, str]:
    shown = ", ".join(sorted(failed)[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    trouble = f"{len(ensured.enabled)} had been disabled" if ensured.enabled else f"{len(failed)} were missing"
    mended = (
        f"Not all of them are mended yet, which is tried again: {ensured.problem}."
        if ensured.problem
        else "They are enabled again, and a sync of their streams was requested."
    )
    return (
        f"Webhook subscriptions of {ensured.org_id} had failed: {trouble} ({shown}). {mended}",
        f"{SOURCES[ensured.adapter].title} disables subscriptions when deliveries fail. Check whether the service was"
        " down and whether OPENFAITH_PUBLIC_URL can be reached from outside; the alert closes with the next check that"
        " finds everything in order.",
    )


@dataclass
class _Done:
    """State of a check that may end early, by the names of the events."""

    known: set[str] = field(default_factory=set)
    added: list[str] = field(default_factory=list)
    enabled: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def described(self, org_id: str, adapter: str, problem: str | None) -> Ensured:
        events = tuple(sorted({*self.known, *self.added}))
        enabled = tuple(sorted(self.enabled))
        return Ensured(org_id, adapter, events, tuple(self.added), enabled, problem, frozenset(self.lost))


@dataclass(frozen=True)
class _Desk:
    """One check of the subscriptions of an org. done: filled as it goes on, for it may end early."""

    database: Database
    cipher: Cipher
    subscriptions: Subscriptions
    org_id: str
    adapter: str
    url: str
    done: _Done

    async def ensure(self) -> str | None:
        """Returns the problems with single events."""
        chosen = self._chosen_streams()
        wanted = {name for name in await self.subscriptions.offered() if _is_about(name, self.adapter, chosen)}
        there = {each.id: each for each in await self.subscriptions.there()}
        unwanted = {each.id for each in there.values() if self._is_unwanted(each.event, chosen)}
        ours = [each for each in there.values() if each.url == self.url and each.id not in unwanted]
        self.done.known |= {each.event for each in ours}
        await self._forget_others(there, unwanted, wanted - self.done.known)
        problems = [await self._tried(each.event, self._look_after(each)) for each in ours]
        problems += [await self._tried(event, self._add(event)) for event in sorted(wanted - self.done.known)]
        return "; ".join([*filter(None, problems)][:3]) or None

    async def _tried(self, event: str, work: Coroutine[Any, Any, None]) -> str | None:
        """Do the work for one event; returns why it failed, if that says nothing about the others."""
        try:
            await work
        except UnexpectedResponse as error:
            return f"{event}: {error}"
        return None

    def _is_unwanted(self, name: str, chosen: Collection[str]) -> bool:
        return event_named(name, self.adapter) is not None and not _is_about(name, self.adapter, chosen)

    async def _look_after(self, found: SubscriptionThere) -> None:
        """Make sure that we have the subscription's secret and that it is enabled."""
        await self._know_secret(found)
        if not found.is_active:
            await self.subscriptions.enable(found.id)
            self.done.enabled.append(found.event)

    async def _add(self, event: str) -> None:
        id, secret = await self.subscriptions.add(event, self.url)
        self._keep(Subscription(id, event, self.url), secret)
        self.done.added.append(event)

    async def _know_secret(self, found: SubscriptionThere) -> None:
        with self.database.connect() as connection:
            kept = secret_of(connection, self.cipher, self.org_id, self.adapter, found.id)
        if kept and found.secret in (None, kept):
            return
        secret = found.secret or await self.subscriptions.new_secret(found.id)
        self._keep(Subscription(found.id, found.event, self.url), secret)

    def _chosen_streams(self) -> frozenset[str]:
        with self.database.connect() as connection:
            return frozenset(stream.name for stream in settings_of(connection, self.org_id).chosen_streams())

    async def _forget_others(self, there: Collection[str], unwanted: Collection[str], missing: Collection[str]) -> None:
        """Delete ours that point to a former URL or are unwanted, and forget those that somebody deleted.

        missing: the wanted events that nothing of ours is subscribed to.
        """
        with self.database.connect() as connection:
            kept = subscriptions_of(connection, self.org_id, self.adapter)
        for subscription in kept:
            is_there = subscription.subscription_id in there
            if is_there and subscription.url == self.url and subscription.subscription_id not in unwanted:
                continue
            if is_there:
                await self.subscriptions.delete(subscription.subscription_id)
            elif subscription.event in missing:
                self.done.lost.add(subscription.event)
            with self.database.connect() as connection:
                forget_subscription(connection, self.org_id, self.adapter, subscription.subscription_id)

    def _keep(self, subscription: Subscription, secret: str) -> None:
        with self.database.connect() as connection:
            keep_subscription(connection, self.cipher, self.org_id, self.adapter, subscription, secret)
