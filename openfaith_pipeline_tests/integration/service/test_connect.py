"""A church connects itself: the pages, the simulator's OAuth, and the stored connection."""

from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from openfaith_pipeline.alerts.incidents import list_alerts
from openfaith_pipeline.connections.cipher import cipher_from
from openfaith_pipeline.connections.client import connect_client
from openfaith_pipeline.connections.invitations import make_invitation
from openfaith_pipeline.connections.registry import add_org, set_connection_state
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import Org, list_orgs, new_org_id, number_of, record_number, remove_org
from openfaith_pipeline.planning_center import PersonalAccessToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.service.app import create_app
from openfaith_pipeline.simulator import SimulatorClient, made_up_churches, running_simulator
from openfaith_pipeline_tests.oauth_grants import visit, with_oauth
from openfaith_pipeline_tests.tenants import connection_of

FIRST, SECOND = made_up_churches(2, people=3)
PUBLIC_URL = "https://sync.example.org"


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator([FIRST, SECOND]) as client:
        yield client


@pytest.fixture
def database(database: Database, simulator: SimulatorClient) -> Database:
    settings = with_oauth(database.settings, simulator.url).model_copy(update={"public_url": PUBLIC_URL})
    simulator.sign_in(FIRST.org_id)
    return replace(database, settings=settings)


@pytest.fixture
def browser(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(database), base_url=PUBLIC_URL, follow_redirects=False) as client:
        yield client


def _leave(browser: TestClient, org_id: str = "", **params: str) -> str:
    """Press the button, approve; the address that Planning Center sends the browser back to."""
    left = browser.post("/connect/pco/start", params={**params, **({"org": org_id} if org_id else {})})
    assert left.status_code == 303, left.text
    return visit(left.headers["Location"])


def _orgs(database: Database) -> list[Org]:
    with database.connect() as connection:
        return list_orgs(connection)


def _state(database: Database, org_id: str) -> str:
    with database.connect() as connection:
        return connection_of(connection, org_id).state


async def test_a_church_connects_itself_and_its_data_can_be_read(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    page = browser.get("/connect/pco")
    assert (page.status_code, 'action="/connect/pco/start"' in page.text) == (200, True)
    back = _leave(browser)
    assert back.startswith(f"{PUBLIC_URL}/connect/pco/callback?")
    connected = browser.get(back)

    [org] = _orgs(database)
    assert (connected.status_code, org.org_id in connected.text) == (200, True)
    assert (org.name, _state(database, org.org_id)) == (FIRST.name, "connected")
    async with connect_client(database, org.org_id, adapter="pco") as client:
        document = await client.get("/people/v2/emails", {}, product=Product.PEOPLE)
    assert document.total_count == len(simulator.truth(FIRST.org_id, "people.emails"))


def test_a_church_that_is_known_is_connected_again_and_not_doubled(browser: TestClient, database: Database) -> None:
    browser.get(_leave(browser))
    [org] = _orgs(database)
    with database.connect() as connection:
        set_connection_state(connection, org.org_id, "needs_reconnect", "dead", adapter="pco")
    again = browser.get(_leave(browser))

    assert "is connected again" in again.text
    [healed] = _orgs(database)
    assert (healed.org_id, _state(database, org.org_id)) == (org.org_id, "connected")
    with database.connect() as connection:
        assert list_alerts(connection) == []
        remove_org(connection, org.org_id)
    browser.get(_leave(browser))
    assert [org.org_id for org in _orgs(database)] == [org.org_id]


def test_a_church_with_the_number_of_another_sources_church_is_a_new_one(
    browser: TestClient, database: Database
) -> None:
    others = new_org_id()
    with database.connect() as connection:
        connection.execute("INSERT INTO sync.orgs (org_id, name) VALUES (%s, 'Another')", (others,))
        record_number(connection, others, str(FIRST.organization_id), "other")
    browser.get(_leave(browser))
    assert [org.name for org in _orgs(database) if org.org_id != others] == [FIRST.name]
    assert _number(database, others) is None


def test_one_connected_by_token_changes_over_and_another_church_cannot_take_its_place(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    org_id = new_org_id()
    with database.connect() as connection:
        token = PersonalAccessToken("app", SecretStr("secret"))
        add_org(
            connection,
            cipher_from(database.settings),
            org_id,
            "Ours",
            token,
            organization_id=str(FIRST.organization_id),
            adapter="pco",
        )
    simulator.sign_in(SECOND.org_id)
    refused = browser.get(_leave(browser, org_id))
    assert (refused.status_code, "not the church being reconnected" in refused.text) == (400, True)

    simulator.sign_in(FIRST.org_id)
    assert "<strong>Ours</strong>" in browser.get(_leave(browser, org_id)).text
    with database.connect() as connection:
        assert connection.execute("SELECT org_id, kind FROM sync.connections").fetchall() == [(org_id, "oauth")]


def _known_only_by_token(database: Database, simulator: SimulatorClient, *, works: bool) -> str:
    """An org whose number nobody has recorded."""
    org_id, given = new_org_id(), simulator.credentials(FIRST.org_id)
    token = PersonalAccessToken(given.app_id, SecretStr(given.secret if works else "no longer good"))
    with database.connect() as connection:
        add_org(connection, cipher_from(database.settings), org_id, "Ours", token, adapter="pco")
    return org_id


def _number(database: Database, org_id: str) -> str | None:
    with database.connect() as connection:
        return number_of(connection, org_id, "pco")


def test_a_stranger_does_not_get_an_org_by_the_number_in_its_token(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    org_id = _known_only_by_token(database, simulator, works=True)
    simulator.sign_in(SECOND.org_id)
    refused = browser.get(_leave(browser, org_id))

    assert (refused.status_code, "not the church being reconnected" in refused.text) == (400, True)
    assert _number(database, org_id) == str(FIRST.organization_id)
    with database.connect() as connection:
        assert connection.execute("SELECT kind FROM sync.connections").fetchall() == [("personal_access_token",)]


def test_an_org_without_a_known_number_takes_an_invitation(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    org_id = _known_only_by_token(database, simulator, works=False)
    refused = browser.post("/connect/pco/start", params={"org": org_id})
    assert (refused.status_code, "takes an invitation" in refused.text) == (400, True)

    with database.connect() as connection:
        invitation = make_invitation(connection, org_id)
    assert "Ours" in browser.get("/connect/pco", params={"invitation": invitation.token}).text
    connected = browser.get(_leave(browser, invitation=invitation.token))
    assert (connected.status_code, "<strong>Ours</strong>" in connected.text) == (200, True)
    assert _number(database, org_id) == str(FIRST.organization_id)
    again = browser.post("/connect/pco/start", params={"invitation": invitation.token})
    assert (again.status_code, "used before" in again.text) == (400, True)


def test_an_invitation_that_is_used_meanwhile_or_has_expired_connects_nobody(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    org_id = _known_only_by_token(database, simulator, works=False)
    for change in ("DELETE FROM sync.invitations", "UPDATE sync.invitations SET expires_at = now()"):
        with database.connect() as connection:
            invitation = make_invitation(connection, org_id)
        back = _leave(browser, invitation=invitation.token)
        with database.connect() as connection:
            connection.execute(change)
        assert browser.get(back).status_code == 400
        assert _number(database, org_id) is None


def test_less_than_before_is_shown_and_confirmed_first(
    browser: TestClient, database: Database, simulator: SimulatorClient
) -> None:
    browser.get(_leave(browser))
    [org] = _orgs(database)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO sync.stream_states (org_id, stream) SELECT %s, unnest(%s::text[])",
            (org.org_id, ["people.people", "giving.funds"]),
        )
        before = connection.execute("SELECT secret FROM sync.connections").fetchall()
    try:
        simulator.grant(FIRST.org_id, ["people"])
        question = browser.get(_leave(browser))
        assert (question.status_code, "<strong>Giving</strong>" in question.text) == (200, True)
        with database.connect() as connection:
            assert connection.execute("SELECT secret FROM sync.connections").fetchall() == before
        action = unescape(question.text.partition('action="')[2].partition('"')[0])
        stranger = TestClient(browser.app, base_url=PUBLIC_URL).post(action)
        assert (stranger.status_code, "another browser" in stranger.text) == (400, True)
        assert browser.post(action).status_code == 400, "what a stranger tried is used up"

        action = unescape(browser.get(_leave(browser)).text.partition('action="')[2].partition('"')[0])
        assert "is connected again" in browser.post(action).text
        with database.connect() as connection:
            assert connection.execute("SELECT secret FROM sync.connections").fetchall() != before
    finally:
        simulator.grant(FIRST.org_id, [product.value for product in Product])


def test_the_way_back_is_good_once_for_one_browser_and_not_for_ever(browser: TestClient, database: Database) -> None:
    back = _leave(browser)
    stolen = TestClient(browser.app, base_url=PUBLIC_URL).get(back)
    assert (stolen.status_code, "started in another browser" in stolen.text) == (400, True)
    used = browser.get(back)
    assert (used.status_code, "was already used" in used.text) == (400, True)

    late = _leave(browser)
    with database.connect() as connection:
        connection.execute("UPDATE sync.oauth_journeys SET began_at = now() - interval '11 minutes'")
    assert "older than ten minutes" in browser.get(late).text
    assert _orgs(database) == []


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"code": "made-up"}, 400, "does not accept the code"),
        ({"code": ""}, 400, "did not send the data needed"),
        ({"code": "", "error": "access_denied"}, 400, "You have not approved"),
        ({"code": "", "error": "<script>alert(1)</script>"}, 400, "did not send the data needed"),
        ({"state": "made-up"}, 400, "was already used"),
        ({"state": ""}, 400, "was already used"),
    ],
)
def test_a_wrong_return_is_reported_plainly_and_connects_nobody(
    browser: TestClient, database: Database, change: dict[str, str], status: int, told: str
) -> None:
    brought = {key: value[0] for key, value in parse_qs(urlsplit(_leave(browser)).query).items()}
    answer = browser.get(f"/connect/pco/callback?{urlencode({**brought, **change})}")

    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert "<script>" not in answer.text
    assert _orgs(database) == []


def test_the_browser_is_bound_and_nothing_is_kept_of_it_in_the_clear(browser: TestClient, database: Database) -> None:
    left = browser.post("/connect/pco/start")
    sent = parse_qs(urlsplit(left.headers["Location"]).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert "openid" in sent["scope"][0].split()
    cookie = left.headers["Set-Cookie"]
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/connect/pco", "Max-Age=600"))
    assert (left.headers["Cache-Control"], left.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    with database.connect() as connection:
        kept = str(connection.execute("SELECT * FROM sync.oauth_journeys").fetchall())
    assert sent["state"][0] not in kept
    assert cookie.partition("=")[2].partition(";")[0] not in kept


def test_a_missing_setup_or_answer_is_reported(database: Database) -> None:
    for change, status, told in (
        ({"pco_client_id": None}, 400, "PLANNING_CENTER_CLIENT_ID"),
        ({"public_url": None}, 400, "OPENFAITH_PUBLIC_URL"),
        ({"pco_api_url": "http://127.0.0.1:9"}, 503, "no response from 127.0.0.1"),
    ):
        settings = database.settings.model_copy(update=change)
        with TestClient(
            create_app(replace(database, settings=settings)), base_url=PUBLIC_URL, follow_redirects=False
        ) as browser:
            answer = browser.get("/connect/pco")
            if answer.status_code == 200:
                left = browser.post("/connect/pco/start")
                state = parse_qs(urlsplit(left.headers["Location"]).query)["state"][0]
                answer = browser.get(f"/connect/pco/callback?code=c&state={state}")
            assert (answer.status_code, told in answer.text) == (status, True), answer.text


def test_an_org_that_is_not_there_is_refused(browser: TestClient) -> None:
    assert browser.get("/connect/pco", params={"org": new_org_id()}).status_code == 404
    assert browser.post("/connect/pco/start", params={"org": "x" * 61}).status_code in (400, 422)


def test_all_addresses_of_one_network_are_one_caller(database: Database) -> None:
    """An IPv6 address costs nothing: its owner has 2**64 of them."""
    few = replace(database, settings=database.settings.model_copy(update={"requests_per_minute": 3}))
    app = create_app(few)
    with TestClient(app):

        def begin(address: str) -> int:
            stranger = TestClient(app, base_url=PUBLIC_URL, follow_redirects=False, client=(address, 5000))
            return stranger.post("/connect/pco/start").status_code

        assert [begin(f"2001:db8:0:1::{number:x}") for number in range(4)] == [303, 303, 303, 429]
        assert begin("2001:db8:0:1:ffff::9") == 429
        assert begin("2001:db8:0:2::1") == 303, "another network is somebody else"
        assert [begin("192.0.2.1") for _ in range(4)] == [303, 303, 303, 429]
        assert begin("::ffff:192.0.2.1") == 429, "the same caller over IPv6"
        assert begin("192.0.2.2") == 303
