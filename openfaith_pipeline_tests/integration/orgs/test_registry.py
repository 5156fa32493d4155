"""Orgs and their credentials in a real Postgres."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from openfaith_pipeline.alerts.incidents import list_alerts, raise_alert
from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.registry import (
    add_org,
    api_url_of,
    credentials_of,
    own_api_url,
    set_connection_state,
)
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import ConfigurationError, UnknownOrg, UsageError
from openfaith_pipeline.network.credentials import Credentials, OAuthToken, PersonalAccessToken
from openfaith_pipeline.orgs.org_ids import new_org_id
from openfaith_pipeline.orgs.registry import (
    get_org,
    list_orgs,
    number_of,
    org_of_church,
    pause_org,
    record_number,
    remove_org,
    resume_org,
)
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CONNECTORS, DEFAULT_SOURCE, SOURCES
from openfaith_pipeline.webhooks.secrets import removed_orgs
from openfaith_pipeline_tests.tenants import connection_of

TOKEN = PersonalAccessToken("app-1", SecretStr("planted-secret"))
OAUTH = OAuthToken(SecretStr("planted-access"), SecretStr("planted-refresh"), datetime(2030, 1, 2, tzinfo=UTC))


@pytest.fixture
def cipher(settings: Settings) -> Cipher:
    return cipher_from(settings)


@pytest.mark.parametrize("credentials", [TOKEN, OAUTH, OAuthToken(SecretStr("planted-access"), None, None)])
def test_credentials_come_back_as_they_were_and_lie_encrypted(
    database: Database, cipher: Cipher, credentials: Credentials
) -> None:
    org_id = new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher, org_id, "First Church", credentials, api_url="http://localhost:1", adapter="pco")
        assert credentials_of(connection, cipher, org_id, adapter="pco") == credentials
        assert own_api_url(connection, org_id, adapter="pco") == "http://localhost:1"
        stored = connection.execute("SELECT secret FROM sync.connections").fetchone()
    assert stored is not None
    assert b"planted" not in stored[0]


def test_adding_again_replaces_credentials_and_heals_the_connection(database: Database, cipher: Cipher) -> None:
    org_id = new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher, org_id, "First Church", TOKEN, adapter="pco")
        set_connection_state(connection, org_id, "needs_reconnect", "HTTP 401", adapter="pco")
        assert connection_of(connection, org_id).reason == "HTTP 401"
        add_org(connection, cipher, org_id, "Second Church", OAUTH, adapter="pco")
        found = connection_of(connection, org_id)
        assert (get_org(connection, org_id).name, found.state, found.reason) == ("Second Church", "connected", None)
        assert credentials_of(connection, cipher, org_id, adapter="pco") == OAUTH


def test_credentials_of_one_org_do_not_open_for_another(database: Database, cipher: Cipher) -> None:
    first, second = new_org_id(), new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher, first, "First Church", TOKEN, adapter="pco")
        add_org(connection, cipher, second, "Second Church", OAUTH, adapter="pco")
        connection.execute(
            "UPDATE sync.connections SET (kind, secret) ="
            " (SELECT kind, secret FROM sync.connections WHERE org_id = %s) WHERE org_id = %s",
            (first, second),
        )
        with pytest.raises(ConfigurationError, match="belong to another org"):
            credentials_of(connection, cipher, second, adapter="pco")


def test_pause_keeps_its_first_moment_and_resume_ends_it(database: Database, cipher: Cipher) -> None:
    org_id = new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher, org_id, "First Church", TOKEN, adapter="pco")
        pause_org(connection, org_id)
        paused_at = get_org(connection, org_id).paused_at
        connection.commit()
        pause_org(connection, org_id)
        assert paused_at is not None
        assert get_org(connection, org_id).paused_at == paused_at
        resume_org(connection, org_id)
        assert get_org(connection, org_id).paused_at is None


def test_a_removed_org_is_unknown_without_credentials_and_may_come_back(database: Database, cipher: Cipher) -> None:
    kept, org_id = new_org_id(), new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher, kept, "A Church", TOKEN, adapter="pco")
        add_org(connection, cipher, org_id, "B Church", TOKEN, adapter="pco")
        for each in (kept, org_id):
            raise_alert(connection, "connection_dead", each, "refused", "connect it again")
        remove_org(connection, org_id)
        assert [org.org_id for org in list_orgs(connection)] == [kept]
        assert [alert.org_id for alert in list_alerts(connection)] == [kept]
        assert connection.execute("SELECT org_id FROM sync.connections").fetchall() == [(kept,)]
        for act in (pause_org, resume_org, remove_org, get_org):
            with pytest.raises(UnknownOrg, match=org_id):
                act(connection, org_id)
        with pytest.raises(UnknownOrg):
            credentials_of(connection, cipher, org_id, adapter="pco")
        add_org(connection, cipher, org_id, "B Church", OAUTH, adapter="pco")
        assert [org.name for org in list_orgs(connection)] == ["A Church", "B Church"]


def test_an_id_that_is_not_an_org_id_is_refused(database: Database, cipher: Cipher) -> None:
    with database.connect() as connection:
        with pytest.raises(UsageError, match="is not an org id"):
            add_org(connection, cipher, "first-church", "First Church", TOKEN, adapter="pco")
        assert list_orgs(connection) == []


def test_an_org_has_a_connection_and_a_budget_for_each_adapter(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(DEFAULT_SOURCE, adapter="other", title="Another Source")
    monkeypatch.setitem(SOURCES, "other", other)  # type: ignore[arg-type]
    cipher, org_id = cipher_from(database.settings), new_org_id()
    ledger = "INSERT INTO sync.source_rate_budgets (org_id, adapter, ledger, version) VALUES (%s, %s, '{}', 1)"
    with database.connect() as connection:
        add_org(connection, cipher, org_id, "First Church", TOKEN, adapter="pco")
        add_org(connection, cipher, org_id, "First Church", OAUTH, api_url="http://localhost:2", adapter="other")
        set_connection_state(connection, org_id, "needs_reconnect", "refused", adapter="other")
        for adapter in (DEFAULT_SOURCE.adapter, "other"):
            connection.execute(ledger, (org_id, adapter))

        assert credentials_of(connection, cipher, org_id, adapter="pco") == TOKEN
        assert credentials_of(connection, cipher, org_id, "other") == OAUTH
        assert [own_api_url(connection, org_id, adapter) for adapter in (DEFAULT_SOURCE.adapter, "other")] == [
            None,
            "http://localhost:2",
        ]
        assert [org.org_id for org in list_orgs(connection)] == [org_id], "an org is listed once"
        [alert] = list_alerts(connection, org_id=org_id)
        assert (alert.message, "/connect/other" in alert.mend) == (
            "the connection to Another Source is dead: refused",
            True,
        )

        remove_org(connection, org_id)
        for adapter in (DEFAULT_SOURCE.adapter, "other"):
            with pytest.raises(UnknownOrg):
                credentials_of(connection, cipher, org_id, adapter)
        assert connection.execute("SELECT count(*) FROM sync.source_connections").fetchone() == (0,)


class _OtherConnector:
    """Of a source that is set up nowhere else."""

    def api_url(self, _: Settings) -> str:
        return "https://other.invalid"


def test_an_address_set_for_one_source_is_no_address_of_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the other's credentials would be sent to it."""
    monkeypatch.setitem(SOURCES, "other", replace(DEFAULT_SOURCE, adapter="other"))  # type: ignore[arg-type]
    monkeypatch.setitem(CONNECTORS, "other", _OtherConnector())  # type: ignore[arg-type]
    settings = database.settings.model_copy(update={"pco_api_url": "http://localhost:3"})
    cipher, org_id = cipher_from(database.settings), new_org_id()
    with database.connect() as connection:
        for adapter in ("pco", "other"):
            add_org(connection, cipher, org_id, "First Church", TOKEN, adapter=adapter)
        found = [api_url_of(connection, settings, org_id, adapter) for adapter in ("pco", "other")]
        usual = api_url_of(connection, database.settings, org_id, "pco")
    assert found == ["http://localhost:3", "https://other.invalid"]
    assert usual == DEFAULT_SOURCE.api_url


def test_each_source_numbers_churches_for_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "other", replace(DEFAULT_SOURCE, adapter="other"))  # type: ignore[arg-type]
    cipher, first, second = cipher_from(database.settings), new_org_id(), new_org_id()
    with database.connect() as connection:
        for org_id, adapter in ((first, "pco"), (second, "other")):
            add_org(connection, cipher, org_id, "A Church", TOKEN, organization_id="7", adapter=adapter)
        assert [org_of_church(connection, "7", None, adapter) for adapter in ("pco", "other")] == [first, second]

        assert number_of(connection, first, "other") is None
        for number in ("8", "9"):
            record_number(connection, first, number, "other")
        assert [number_of(connection, first, adapter) for adapter in ("pco", "other")] == ["7", "8"]

        remove_org(connection, first)
        assert org_of_church(connection, "7", None, "pco") == first, "it comes back"
        assert removed_orgs(connection) == {first: {("pco", "7"), ("other", "8")}}
        add_org(connection, cipher, second, "A Church", TOKEN, organization_id="8", adapter="other")
        assert removed_orgs(connection) == {first: {("pco", "7")}}, "the other is a live church's"


def test_the_version_before_goes_on_writing_by_the_org_alone(database: Database) -> None:
    """It knows `sync.connections` and `sync.rate_budgets`, with one row for each org."""
    org_id = new_org_id()
    connect = (
        "INSERT INTO sync.connections (org_id, kind, api_url, token_expires_at) VALUES (%s, 'oauth', %s, NULL)"
        " ON CONFLICT (org_id) DO UPDATE SET api_url = excluded.api_url"
    )
    budget = (
        "INSERT INTO sync.rate_budgets AS mine (org_id, ledger, version) VALUES (%s, '{}', 1)"
        " ON CONFLICT (org_id) DO UPDATE SET version = mine.version + 1 WHERE mine.version = %s"
    )
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, 'A Church')", (org_id,))
        for api_url in ("http://localhost:1", "http://localhost:2"):
            connection.execute(connect, (org_id, api_url))
        for version in (0, 1):
            assert connection.execute(budget, (org_id, version)).rowcount == 1

        assert own_api_url(connection, org_id, adapter="pco") == "http://localhost:2"
        kept = connection.execute("SELECT adapter, version FROM sync.source_rate_budgets").fetchall()
        assert kept == [(DEFAULT_SOURCE.adapter, 2)]


def test_the_version_before_goes_on_with_the_churchs_number(database: Database) -> None:
    """It knows `sync.orgs.organization_id` only."""
    theirs, ours = new_org_id(), new_org_id()
    with database.connect() as connection:
        for org_id in (theirs, ours):
            connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, 'A Church')", (org_id,))
        for number in ("7", "8"):
            connection.execute("UPDATE sync.orgs SET organization_id = %s WHERE org_id = %s", (number, theirs))
            assert number_of(connection, theirs, "pco") == number
        record_number(connection, ours, "9", "pco")
        record_number(connection, ours, "10", "other")
        numbers = dict(connection.execute("SELECT org_id, organization_id FROM sync.orgs").fetchall())
        assert numbers == {theirs: "8", ours: "9"}
