"""Webhooks: the service that receives them, deliveries that wait, and the subscriptions at the source."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg import Connection

from openfaith_pipeline.doctor.report import Finding, found, found_all
from openfaith_pipeline.webhooks.deliveries import count_by_status, count_overdue
from openfaith_pipeline.webhooks.gaps import LONG_SILENCE
from openfaith_pipeline.webhooks.inspection import Inspected, receiver_silence
from openfaith_pipeline.webhooks.secrets import subscribed_orgs
from openfaith_pipeline.webhooks.state import state_of

PATIENCE: Final = timedelta(minutes=5)
"""How long a delivery may be due: a service applies it within seconds, Dagster within minutes."""


def examine_deliveries(connection: Connection[Any], org_ids: Sequence[str]) -> Iterator[Finding]:
    """Findings about the deliveries of all these orgs, from two statements."""
    silence = receiver_silence(connection)
    subscribed = sorted(subscribed_orgs(connection).keys() & set(org_ids))
    if silence is None or silence > LONG_SILENCE:
        yield from found_all("receiver_silent", None, subscribed)
    overdue, counts = count_overdue(connection, PATIENCE), count_by_status(connection)
    for org_id in org_ids:
        yield from _counted("deliveries_waiting", org_id, overdue)
        failed = {name: numbers.get("failed", 0) for name, numbers in counts.items()}
        yield from _counted("deliveries_failed", org_id, failed)


def _counted(kind: str, org_id: str, numbers: Mapping[str, int]) -> list[Finding]:
    number = numbers.get(org_id, 0)
    return found_all(kind, org_id, [org_id] if number else [], count=number)


def examine_state(connection: Connection[Any], org_id: str, adapter: str) -> Iterator[Finding]:
    """The results of the service's newest check."""
    state = state_of(connection, org_id, adapter)
    if state.is_wanted and state.problem:
        yield found("subscribing_failed", org_id, detail=state.problem)


def findings_of(inspected: Inspected, org_id: str) -> Iterator[Finding]:
    """The subscriptions at the source."""
    yield from found_all("subscriptions_missing", org_id, inspected.missing)
    yield from found_all("subscriptions_disabled", org_id, inspected.disabled)
    yield from found_all("subscriptions_elsewhere", org_id, inspected.elsewhere)
    yield from found_all("subscriptions_extra", org_id, inspected.extra)
    yield from found_all("subscriptions_unwanted", org_id, inspected.unwanted)
