"""A page of another site, open in the operator's browser while Dagster runs on the same machine."""

import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from openfaith_pipeline_tests.acceptance.dagster.browser import FLAGS, find_chromium
from openfaith_pipeline_tests.acceptance.dagster.deployment import Deployment

pytestmark = pytest.mark.slow

_LAUNCH = (
    'mutation { launchRun(executionParams: {selector: {repositoryLocationName: "openfaith_pipeline",'
    ' repositoryName: "__repository__", jobName: "maintenance"}, runConfigData: {}}) { __typename } }'
)
_ATTACK = """async ([url, query]) => {
    const seen = [];
    const tries = [
        () => fetch(url + '/graphql?query=' + encodeURIComponent(query), {mode: 'no-cors'}),
        () => fetch(url + '/graphql?query=' + encodeURIComponent(query),
                    {method: 'POST', mode: 'no-cors', headers: {'Content-Type': 'text/plain'}, body: 'x'}),
        () => fetch(url + '/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'},
                    body: JSON.stringify({query})}),
        () => fetch(url + '/graphql', {method: 'POST', mode: 'no-cors', body: JSON.stringify({query})}),
        () => fetch(url + '/server_info').then(answer => answer.text()),
    ];
    for (const attempt of tries) {
        try { const answer = await attempt(); seen.push(typeof answer === 'string' ? answer : answer.type); }
        catch (error) { seen.push('refused'); }
    }
    const socket = new WebSocket(url.replace('http', 'ws') + '/graphql', 'graphql-ws');
    seen.push(await new Promise(done => {
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    }));
    return seen;
}"""


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hostile_page() -> Iterator[Page]:
    """A page of another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        page = browser.new_page()
        page.goto(f"http://localhost:{server.server_port}/")
        yield page
        browser.close()
    server.shutdown()
    server.server_close()


def test_it_starts_no_run_and_reads_nothing(deployment: Deployment, hostile_page: Page) -> None:
    before = {run["runId"] for run in deployment.runs()}
    seen = hostile_page.evaluate(_ATTACK, [deployment.url, _LAUNCH])

    # An opaque answer is one that the page cannot read.
    assert set(seen) <= {"refused", "opaque"}
    assert seen[-1] == "refused"
    assert {run["runId"] for run in deployment.runs()} == before


def test_nor_by_a_name_of_its_own_that_leads_here(deployment: Deployment) -> None:
    connection = http.client.HTTPConnection(urlsplit(deployment.url).netloc, timeout=30)
    for method, path, body in (
        ("GET", f"/graphql?query={quote(_LAUNCH)}", None),
        ("POST", "/graphql", json.dumps({"query": "{ runsOrError { __typename } }"})),
        ("GET", "/runs", None),
    ):
        connection.request(method, path, body, {"Host": "evil.example:3000", "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
