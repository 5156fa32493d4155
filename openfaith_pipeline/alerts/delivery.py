"""Delivery of alerts: each open alert once to each channel, retried while a channel fails.

An alert is claimed before it is sent and marked afterwards, so that two deliverers never send the same one. If a
deliverer dies between sending and marking, the alert is sent again after `CLAIM`: better twice than never.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Protocol

from psycopg import Connection
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import DeliveryFailed
from openfaith_pipeline.text.printable import printable

CLAIM: Final = timedelta(minutes=3)
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
ENOUGH_SECONDS: Final = 30.0
"""A round ends after this long; alerts not sent by then are left for the next round."""

_CLAIM_ONE: Final = """
UPDATE sync.alerts AS claimed SET attempts = attempts + 1, next_attempt_at = now() + %(claim)s
  FROM (SELECT due.id FROM sync.alerts AS due
         WHERE due.resolved_at IS NULL AND NOT due.delivered_to @> %(channels)s AND due.next_attempt_at <= now()
         ORDER BY due.next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS next
 WHERE claimed.id = next.id
RETURNING claimed.id, claimed.kind, claimed.org_id, claimed.message, claimed.mend, claimed.delivered_to,
          claimed.attempts, (SELECT name FROM sync.orgs WHERE orgs.org_id = claimed.org_id) AS org_name
"""

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """A way to reach people. name: `slack`, `email`, or the scheme and a hash of a URL for Apprise."""

    @property
    def name(self) -> str: ...

    def send(self, subject: str, message: str, mend: str) -> None:
        """Send, or raise DeliveryFailed with the cause but without the channel's secrets."""


def deliver_due_alerts(database: Database, channels: Sequence[Channel]) -> dict[int, str | None]:
    """Send due alerts to each channel. Returns the failure, or None, by alert id; a failing channel raises nothing."""
    outcomes: dict[int, str | None] = {}
    broken: dict[str, str] = {}
    deadline = monotonic() + ENOUGH_SECONDS
    with database.connect(autocommit=True, row_factory=dict_row) as connection:
        for alert in _claimed(connection, [channel.name for channel in channels], deadline):
            outcomes[alert["id"]] = _deliver(connection, alert, channels, broken)
    return outcomes


def _claimed(connection: Connection[Any], channels: Sequence[str], deadline: float) -> Iterator[Mapping[str, Any]]:
    while channels and monotonic() < deadline:
        claimed = {"claim": CLAIM, "channels": list(channels)}
        alert = connection.execute(_CLAIM_ONE, claimed).fetchone()
        if alert is None:
            return
        yield alert


def _deliver(
    connection: Connection[Any], alert: Mapping[str, Any], channels: Sequence[Channel], broken: dict[str, str]
) -> str | None:
    """broken: channels that have failed in this round, with the cause; they are skipped until the next round."""
    missing = [channel for channel in channels if channel.name not in alert["delivered_to"]]
    is_refused = False
    for channel in missing:
        if channel.name in broken:
            continue
        try:
            channel.send(subject_of(alert), alert["message"], alert["mend"])
        except DeliveryFailed as error:
            broken[channel.name] = str(error)
            is_refused = True
            _log.warning("alert %s could not be delivered and will be retried: %s", alert["id"], error)
        else:
            statement = "UPDATE sync.alerts SET delivered_to = array_append(delivered_to, %s) WHERE id = %s"
            connection.execute(statement, (channel.name, alert["id"]))
    failure = "; ".join(broken[channel.name] for channel in missing if channel.name in broken) or None
    _record(connection, alert, failure, is_refused=is_refused)
    return failure


def subject_of(alert: Mapping[str, Any]) -> str:
    """`connection dead: First Church (org_...)`."""
    kind = str(alert["kind"]).replace("_", " ")
    return f"{kind}: {printable(alert['org_name'] or 'an org')} ({alert['org_id']})" if alert["org_id"] else kind


def _record(connection: Connection[Any], alert: Mapping[str, Any], failure: str | None, *, is_refused: bool) -> None:
    """is_refused: whether a channel was tried with this alert and failed. Else its next attempt comes soon: of many
    alerts at once, a channel with a limit takes some in each round.
    """
    if failure is None:
        statement = "UPDATE sync.alerts SET delivered_at = now(), delivery_error = NULL WHERE id = %s"
        connection.execute(statement, (alert["id"],))
        return
    attempts = alert["attempts"] - (not is_refused)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts - 1, 10)) if is_refused else FIRST_WAIT
    connection.execute(
        "UPDATE sync.alerts SET delivery_error = %s, attempts = %s, next_attempt_at = now() + %s WHERE id = %s",
        (failure, attempts, wait, alert["id"]),
    )
