"""Dagster's UI, operated in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from openfaith_pipeline_tests.acceptance.dagster.browser import FLAGS, find_chromium
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow


@pytest.fixture
def page(deployment: Deployment) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 950}, base_url=deployment.url)
        page.set_default_timeout(150_000)
        yield page
        page.screenshot(path=deployment.directory / "last-page.png")
        browser.close()


def test_materializing_emails_of_one_church(page: Page, deployment: Deployment, org_id: str) -> None:
    page.goto("/assets/pco_people/emails")
    expect(page.get_by_text("Email addresses of people.")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Materialize…").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_role("menuitem").filter(has_text=org_id).click()
    page.get_by_text("Launch runs to materialize").click()
    page.get_by_role("button", name="Launch 1 run").click()

    expect(page.get_by_text("Launched run").first).to_be_visible(timeout=60_000)
    deployment.wait_until(lambda: runs_of(deployment, org_id), "the run that was launched")
    run = deployment.finished(runs_of(deployment, org_id)[0])
    assert run["status"] == "SUCCESS"
    assert deployment.rows("pco_people.emails", org_id) == deployment.truth("people.emails", org_id) != set()

    page.goto(f"/assets/pco_people/emails?view=partitions&partition={org_id}")
    shown = page.get_by_role("row").filter(has_text=re.compile("rows_inserted"))
    expect(shown).to_contain_text(str(len(deployment.truth("people.emails", org_id))), timeout=60_000)
    addresses = {record["attributes"]["address"] for record in deployment.simulator.truth(org_id, "people.emails")}
    assert not [address for address in addresses if address in page.content()]


def runs_of(deployment: Deployment, org_id: str) -> list[str]:
    return [run["runId"] for run in deployment.runs(tags=[{"key": "dagster/partition", "value": org_id}])]
