"""Subscriptions of an org at the simulator: made, mended, never somebody else's."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.reencryption import reencrypt
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import TransientError, UnexpectedResponse, UnknownOrg
from openfaith_pipeline.orgs.org_settings import SettingsChange, change_settings
from openfaith_pipeline.orgs.registry import pause_org, remove_org, resume_org
from openfaith_pipeline.planning_center.event_names import event_named
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.webhook_subscriptions import WebhookSubscriptions
from openfaith_pipeline.simulator import SimulatorClient, Traps
from openfaith_pipeline.webhooks.ending import LeftOver, let_go, unsubscribe
from openfaith_pipeline.webhooks.secrets import secrets_of, subscriptions_of
from openfaith_pipeline.webhooks.state import check_moved, next_to_check, state_of, want_subscriptions
from openfaith_pipeline.webhooks.subscriptions import SENT_WITHIN, Ensured, ensure_subscriptions
from openfaith_pipeline_tests.integration.sync.church import connect
from openfaith_pipeline_tests.integration.webhooks.conftest import OFFERED, SUBSCRIPTIONS

MAPPED = tuple(sorted(name for name in OFFERED if event_named(name)))


@pytest.fixture
def public(database: Database) -> Database:
    """The database of a service that is reached from outside."""
    return _at(database, "http://127.0.0.1:9/base/")


def _at(database: Database, url: str | None) -> Database:
    settings = database.settings.model_copy(update={"public_url": url})
    return Database(settings, database.url, database.dagster_url)


def ensure(database: Database, org_id: str) -> Ensured:
    return asyncio.run(ensure_subscriptions(database, org_id, adapter="pco"))


def there(simulator: SimulatorClient, org_id: str) -> list[dict[str, Any]]:
    return simulator.truth(org_id, SUBSCRIPTIONS)


def requests(database: Database) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute("SELECT org_id, payload ->> 'streams', trigger FROM sync.requests").fetchall()


def test_an_org_is_subscribed_to_all_that_is_mapped_each_with_its_own_secret(
    public: Database, simulator: SimulatorClient
) -> None:
    [org_id, other] = connect(public, simulator)
    before = there(simulator, org_id)
    ensured = ensure(public, org_id)
    assert (ensured.events, ensured.added, ensured.problem) == (MAPPED, MAPPED, None)
    url = f"http://127.0.0.1:9/base/api/webhooks/pco/{org_id}"
    ours = [row for row in there(simulator, org_id) if row["attributes"]["url"] == url]
    assert [row for row in there(simulator, org_id) if row not in ours] == before
    assert there(simulator, other) == there(simulator, other)
    with public.connect() as connection:
        secrets = secrets_of(connection, cipher_from(public.settings), org_id, "pco")
        stored = connection.execute("SELECT secret FROM sync.webhook_subscriptions").fetchall()
        assert list_alerts(connection) == []
    told = {row["attributes"]["name"]: row["withheld"]["authenticity_secret"] for row in ours}
    assert {event: [secret.encode()] for event, secret in told.items()} == {e: list(s) for e, s in secrets.items()}
    assert len(set(told.values())) == len(MAPPED)
    assert not any(secret.encode() in bytes(row) for (row,) in stored for secret in told.values())
    assert requests(public) == []


def test_looking_again_changes_nothing(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    left = there(simulator, org_id)
    again = ensure(public, org_id)
    assert (again.events, again.added, again.enabled) == (MAPPED, (), ())
    assert there(simulator, org_id) == left


def test_a_disabled_or_deleted_subscription_is_mended_alerted_and_its_gap_filled(
    public: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    ours = {row["attributes"]["name"]: int(row["id"]) for row in there(simulator, org_id)}
    simulator.edit(org_id, SUBSCRIPTIONS, [ours["people.v2.events.email.updated"]], attributes={"active": False})
    simulator.delete(org_id, SUBSCRIPTIONS, [ours["services.v2.events.plan_item.created"]])
    ensured = ensure(public, org_id)
    assert ensured.enabled == ("people.v2.events.email.updated",)
    assert ensured.added == ("services.v2.events.plan_item.created",)
    with public.connect() as connection:
        [alert] = list_alerts(connection)
        assert (alert.kind, alert.org_id) == ("webhooks_disabled", org_id)
        assert len(subscriptions_of(connection, org_id, "pco")) == len(MAPPED)
    assert requests(public) == [(org_id, '["people.emails", "services.items"]', "webhook")]
    ensure(public, org_id)
    with public.connect() as connection:
        assert list_alerts(connection) == [alert], "it has not been sent yet"
        connection.execute("UPDATE sync.alerts SET delivered_at = now()")
    ensure(public, org_id)
    with public.connect() as connection:
        assert list_alerts(connection) == []


def test_an_alert_that_no_channel_receives_is_over_after_a_day(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    _switch_off(simulator, org_id, MAPPED[0])
    ensure(public, org_id)
    with public.connect() as connection:
        assert len(list_alerts(connection)) == 1
        connection.execute("UPDATE sync.alerts SET first_seen_at = first_seen_at - %s", (SENT_WITHIN,))
    ensure(public, org_id)
    with public.connect() as connection:
        assert list_alerts(connection) == []


@pytest.mark.parametrize("trouble", [TransientError("502"), UnexpectedResponse("422"), asyncio.CancelledError()])
def test_a_check_that_ends_early_tells_and_fills_the_gap_of_what_it_has_mended(
    public: Database, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    first, second = "people.v2.events.email.updated", "services.v2.events.plan_item.created"
    _switch_off(simulator, org_id, first, second)
    enable, tried = WebhookSubscriptions.enable, list[str]()

    async def enable_one(self: WebhookSubscriptions, id: str) -> None:
        tried.append(id)
        if len(tried) == 2:
            raise trouble
        await enable(self, id)

    with monkeypatch.context() as patch:
        patch.setattr(WebhookSubscriptions, "enable", enable_one)
        with suppress(asyncio.CancelledError):
            assert len(ensure(public, org_id).enabled) == 1
    ensured = ensure(public, org_id)
    with public.connect() as connection:
        [alert] = list_alerts(connection)
    assert (alert.kind, alert.count, len(ensured.enabled)) == ("webhooks_disabled", 2, 1)
    assert requests(public) == [(org_id, '["people.emails", "services.items"]', "webhook")]


def _switch_off(simulator: SimulatorClient, org_id: str, *events: str) -> None:
    ours = {row["attributes"]["name"]: int(row["id"]) for row in there(simulator, org_id)}
    simulator.edit(org_id, SUBSCRIPTIONS, [ours[event] for event in events], attributes={"active": False})


def test_an_org_is_subscribed_to_the_streams_that_it_syncs(public: Database, simulator: SimulatorClient) -> None:
    """A narrower choice ends subscriptions, a wider one makes more; neither is an incident."""
    [org_id, _] = connect(public, simulator)
    _choose(public, org_id, "people.emails", "people.households")
    ensure(public, org_id)
    _choose(public, org_id, "people.emails")
    emails, households = (
        tuple(name for name in MAPPED if name.startswith(f"people.v2.events.{noun}."))
        for noun in ("email", "household")
    )
    assert ensure(public, org_id).events == emails
    assert {row["attributes"]["name"] for row in there(simulator, org_id)} & set(MAPPED) == set(emails)
    assert requests(public) == []
    _choose(public, org_id, "people.emails", "people.households")
    assert ensure(public, org_id).added == households != ()
    assert requests(public) == [(org_id, '["people.households"]', "webhook")]
    with public.connect() as connection:
        assert list_alerts(connection) == []


def _choose(database: Database, org_id: str, *streams: str) -> None:
    with database.connect() as connection:
        change_settings(connection, org_id, SettingsChange(streams=streams))


def test_a_secret_rotated_elsewhere_or_lost_here_is_learnt_again(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    ours = {row["attributes"]["name"]: int(row["id"]) for row in there(simulator, org_id)}
    event, lost = "people.v2.events.email.updated", "people.v2.events.email.created"
    simulator.edit(org_id, SUBSCRIPTIONS, [ours[event]], attributes={"authenticity_secret": "rotated"})
    with public.connect() as connection:
        connection.execute("DELETE FROM sync.webhook_subscriptions WHERE event = %s", (lost,))
    ensured = ensure(public, org_id)
    assert (ensured.added, ensured.enabled) == ((), ())
    with public.connect() as connection:
        secrets = secrets_of(connection, cipher_from(public.settings), org_id, "pco")
    assert secrets[event] == (b"rotated",)
    assert len(secrets[lost]) == 1


def test_another_public_url_moves_ours_and_leaves_others(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    others = [row["id"] for row in there(simulator, org_id)]
    ensure(public, org_id)
    ensured = ensure(_at(public, "https://elsewhere.example.org"), org_id)
    assert ensured.added == MAPPED
    with public.connect() as connection:
        assert list_alerts(connection) == [], "nobody but us has deleted them"
    left = [row for row in there(simulator, org_id) if row["id"] not in others]
    assert {row["attributes"]["url"] for row in left} == {f"https://elsewhere.example.org/api/webhooks/pco/{org_id}"}
    assert {row["id"] for row in there(simulator, org_id)} >= set(others)


def test_unsubscribed_it_stays_so_until_wanted_again(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    before = there(simulator, org_id)
    ensure(public, org_id)
    assert sorted(asyncio.run(unsubscribe(public, org_id, adapter="pco"))) == sorted(MAPPED)
    assert there(simulator, org_id) == before
    with public.connect() as connection:
        assert subscriptions_of(connection, org_id, "pco") == []
        assert org_id not in _all_due(connection)
        want_subscriptions(connection, org_id, "pco", is_wanted=True)
        assert org_id in _all_due(connection)


def test_a_church_that_is_let_go_has_its_subscriptions_ended_even_paused(
    public: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(public, simulator)
    before = there(simulator, org_id)
    ensure(public, org_id)
    with public.connect() as connection:
        pause_org(connection, org_id)
    assert asyncio.run(let_go(public, org_id, adapter="pco")) == LeftOver(len(MAPPED))
    assert there(simulator, org_id) == before
    assert asyncio.run(let_go(public, org_id, adapter="pco")) == LeftOver()
    with public.connect() as connection:
        assert org_id not in _all_due(connection)
        remove_org(connection, org_id)
    [org_id, _] = connect(public, simulator)
    with public.connect() as connection:
        resume_org(connection, org_id)
        assert org_id in _all_due(connection)


def test_a_subscription_that_cannot_be_ended_is_reported_and_keeps_nobody(
    public: Database, simulator: SimulatorClient
) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    simulator.set_traps(org_id, Traps(forbidden_streams=(SUBSCRIPTIONS,)))
    refused = asyncio.run(let_go(public, org_id, adapter="pco"))
    assert (refused.ended, sorted(refused.left)) == (0, sorted(MAPPED))
    assert "403" in str(refused.problem)
    slow = asyncio.run(let_go(public, org_id, seconds=0, adapter="pco"))
    assert (len(slow.left), slow.problem) == (len(MAPPED), "it took longer than 0 s")


def _all_due(connection: Any) -> list[str]:
    """The orgs, which are connected to one source."""
    due = list(iter(lambda: next_to_check(connection), None))
    assert {adapter for _, adapter in due} <= {"pco"}
    return [org_id for org_id, _ in due]


def test_an_obstacle_to_subscribing_is_reported_and_no_more(public: Database, simulator: SimulatorClient) -> None:
    [org_id, other] = connect(public, simulator)
    assert "OPENFAITH_PUBLIC_URL" in str(ensure(_at(public, None), org_id).problem)
    simulator.set_traps(org_id, Traps(forbidden_streams=(SUBSCRIPTIONS,)))
    assert "403" in str(ensure(public, org_id).problem)
    simulator.grant(other, ["people"])
    assert "401" in str(ensure(public, other).problem)
    simulator.grant(other, [product.value for product in Product])
    with public.connect() as connection:
        pause_org(connection, org_id)
    assert "paused" in str(ensure(public, org_id).problem)
    with public.connect() as connection:
        assert "paused" in str(state_of(connection, org_id, "pco").problem)
        assert state_of(connection, org_id, "pco").ensured_at is None
        assert connection.execute("SELECT state FROM sync.connections GROUP BY 1").fetchall() == [("connected",)]
    with pytest.raises(UnknownOrg):
        ensure(public, "org_01k5t0w2m1e9qv4y8z3n7b6c5d")


def test_each_org_is_looked_after_by_one_at_a_time(public: Database, simulator: SimulatorClient) -> None:
    both = connect(public, simulator)
    with public.connect() as connection:
        assert sorted(_all_due(connection)) == sorted(both)
        connection.commit()
        assert next_to_check(connection) is None


def test_secrets_follow_a_new_encryption_key(public: Database, simulator: SimulatorClient) -> None:
    [org_id, _] = connect(public, simulator)
    ensure(public, org_id)
    old = public.settings.encryption_keys[0].get_secret_value()
    new = "bmV3LW9wZW5mYWl0aC10ZXN0cy1rZXktMzItYnl0ZXM="
    with public.connect() as connection:
        before = secrets_of(connection, Cipher((old,)), org_id, "pco")
    keys = {"encryption_keys": (SecretStr(new), SecretStr(old))}
    outcomes = reencrypt(replace(public, settings=public.settings.model_copy(update=keys)))
    assert len(MAPPED) in [outcome.renewed for outcome in outcomes]
    with public.connect() as connection:
        assert secrets_of(connection, Cipher((new,)), org_id, "pco") == before


def test_after_a_change_of_our_address_each_org_has_its_turn_at_once(
    database: Database, simulator: SimulatorClient
) -> None:
    former, present = _at(database, "http://127.0.0.1:9/base/"), _at(database, "http://127.0.0.1:9/other")
    [org_id, *_] = connect(former, simulator)
    ensure(former, org_id)

    def due(public: Database) -> int:
        with public.connect() as connection:
            connection.execute("UPDATE sync.source_webhooks SET next_check_at = now() + interval '1 h'")
            count = check_moved(connection, public.settings)
            assert (next_to_check(connection) == (org_id, "pco")) == bool(count)
        return count

    assert (due(former), due(_at(database, None)), due(present)) == (0, 0, 1)
    ensure(present, org_id)
    urls = {each["attributes"]["url"] for each in there(simulator, org_id)}
    assert {url for url in urls if "127.0.0.1" in url} == {f"http://127.0.0.1:9/other/api/webhooks/pco/{org_id}"}
    assert due(present) == 0
