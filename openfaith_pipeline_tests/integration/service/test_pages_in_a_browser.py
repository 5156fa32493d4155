"""The status pages in a real browser over 1,000 churches: at three widths, without scripts, by keyboard, in the dark.

`OPENFAITH_SCREENSHOTS=docs/images` makes the pictures of docs/status-page.md anew.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from openfaith_pipeline.database import Database
from openfaith_pipeline.database.connection import configured_url, database_at
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.acceptance.dagster.browser import FLAGS, find_chromium
from openfaith_pipeline_tests.conftest import environment_of, fresh_database
from openfaith_pipeline_tests.integration.service.conftest import Service, running_service, wait_for
from openfaith_pipeline_tests.seeded import seed_churches

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]

CHURCH = "org_" + "5".zfill(26)
HOSTILE = "<b>Grace</b> \"' & \u202eecarG\u202c \u202d" + "long" * 30
SYNC = "a sync of <b>ours"
STREAM = "people.emails"
WIDTHS = (360, 768, 1440)
PICTURES = os.environ.get("OPENFAITH_SCREENSHOTS")

PAGES = {
    "overview": "/",
    "church": f"/orgs/{CHURCH}",
    "stream": f"/orgs/{CHURCH}/streams/{STREAM}",
    "sync": "/syncs/a%20sync%20of%20%3Cb%3Eours?live=0",
    "deletion": f"/orgs/{CHURCH}/deletions/1",
    "connect": "/connect/pco",
    "api": "/api/docs",
}


def _under_way(database: Database) -> None:
    """A church whose name means harm, with a sync that is 40 % done, and a held deletion."""
    streams = list(STREAMS)[:10]
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET name = %s WHERE org_id = %s", (HOSTILE, CHURCH))
        connection.execute(
            "INSERT INTO sync.syncs (sync_id, mode, trigger, started_at, requested) VALUES (%s, 'incremental', 'api',"
            " now() - interval '40 s', jsonb_build_object('org', %s::text, 'streams', %s::text[]))",
            (SYNC, CHURCH, streams),
        )
        for number, stream in enumerate(streams[:5]):
            connection.execute(
                "INSERT INTO sync.stream_syncs (sync_id, org_id, stream, lead_stream, mode, status, fetched, requests)"
                " VALUES (%s, %s, %s, %s, 'incremental', %s, 2500, 1)",
                (SYNC, CHURCH, stream, stream, "running" if number == 4 else "succeeded"),
            )
        connection.execute(
            "INSERT INTO sync.held_deletions (org_id, stream, sync_id, ids, row_count, reason)"
            " VALUES (%s, %s, %s, ARRAY['1', '2'], 3, 'two of three rows are listed no more')",
            (CHURCH, STREAM, SYNC),
        )


@pytest.fixture(scope="module")
def site(postgres: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that trusts this machine, over 1,000 churches."""
    directory = tmp_path_factory.mktemp("pages")
    with fresh_database(postgres, "pages", directory / "home") as settings:
        database = database_at(settings, configured_url(settings))
        seed_churches(database, 1000, streams=30)
        _under_way(database)
        oauth = {
            "PLANNING_CENTER_CLIENT_ID": "app",
            "PLANNING_CENTER_SECRET": "pl4nted",
            "OPENFAITH_OPERATOR": "Grace Hosting",
        }
        with running_service({**environment_of(settings), **oauth}, directory, CHURCH) as service:
            service.database = database
            wait_for(service)
            yield service


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, site: Service) -> Iterator[Page]:
    context = chromium.new_context(base_url=f"http://127.0.0.1:{site.port}", java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_each_page_fits_each_width_and_shows_names_as_text(chromium: Browser, site: Service, width: int) -> None:
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{site.port}",
        java_script_enabled=False,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if width == WIDTHS[0] else "light",
    )
    page = context.new_page()
    for name, path in PAGES.items():
        answer = page.goto(path)
        assert answer and answer.status == 200, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the window"
        assert page.locator("b").count() == 0, f"{name} has markup of a church"
        assert page.locator("h1").count() == 1
        _picture(page, name, width)
    page.goto(f"/?q={CHURCH}")
    expect(page.get_by_role("link", name="<b>Grace</b>")).to_be_visible()
    context.close()


def _picture(page: Page, name: str, width: int) -> None:
    wanted = {
        ("overview", 1440): "status-overview",
        ("church", 1440): "status-church",
        ("sync", 360): "status-sync-phone",
        ("connect", 768): "connect",
    }
    if PICTURES and (name, width) in wanted:
        if name == "church":
            page.goto(f"/orgs/org_{'4'.zfill(26)}")
        page.screenshot(path=Path(PICTURES) / f"{wanted[name, width]}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_mend(chromium: Browser, site: Service, scheme: str) -> None:
    # The policy of the pages would keep axe out.
    context = chromium.new_context(base_url=f"http://127.0.0.1:{site.port}", bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    context.close()


def test_the_list_is_searched_filtered_and_paged_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    expect(page.get_by_text("1,000 of 1,000 churches, page 1 of 20")).to_be_visible()

    page.get_by_label("Name, or the beginning of an id").focus()
    page.keyboard.type("church 0777")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Church 0777").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Church 0777", level=1)).to_be_visible()

    page.goto("/")
    page.get_by_role("link", name="40 failing").click()
    expect(page.get_by_text("40 of 1,000 churches, page 1 of 1")).to_be_visible()
    page.goto("/?sort=name")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="Church 0060", exact=True)).to_be_visible()


def test_tables_are_read_with_their_headers(page: Page) -> None:
    tables = 0
    for path in PAGES.values():
        page.goto(path)
        for table in page.locator("table").all():
            assert table.locator("caption").count() == 1
            assert table.locator("thead th:not([scope=col])").count() == 0
            tables += 1
    assert tables


def test_a_church_is_paused_resumed_and_synced_by_a_person(page: Page) -> None:
    page.goto(f"/orgs/{CHURCH}")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("nothing is synced until it is resumed"))).to_be_visible()
    expect(page.get_by_role("button", name="Sync now")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("It waits for its turn.")).to_be_visible()
    assert page.locator("meta[http-equiv=refresh]").count() == 1
    page.get_by_role("link", name="stop").click()
    assert page.locator("meta[http-equiv=refresh]").count() == 0

    page.goto(f"/orgs/{CHURCH}")
    page.get_by_role("link", name=f"decide on {STREAM}").click()
    expect(page.get_by_text(re.compile("2 of the 3 rows"))).to_be_visible()
    page.get_by_role("button", name="Reject: keep them").click()
    expect(page.get_by_role("link", name=f"decide on {STREAM}")).to_have_count(0)


def test_a_running_sync_shows_its_share_and_time_left(page: Page) -> None:
    page.goto(PAGES["sync"])
    expect(page.get_by_text(re.compile(r"^4\d % done, about \d+ (s|min) left$"))).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("link", name="<b>Grace</b>")).to_have_attribute("href", f"/orgs/{CHURCH}")
    expect(page.get_by_text(re.compile(r"12,500, \d+ a second"))).to_be_visible()


def test_the_page_names_the_products_that_are_read_and_who_keeps_them(page: Page) -> None:
    page.goto("/connect/pco")
    expect(page.get_by_text("Grace Hosting keeps the copy")).to_be_visible()
    for words in ("who gave how much", "medical notes", "children", "take the permission back at any time"):
        expect(page.get_by_text(re.compile(words)).first).to_be_visible()
