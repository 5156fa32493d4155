"""Whatever one church signs and sends, another's answers, deliveries, turns and rows are as they would be without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import TransientError
from openfaith_pipeline.load.leases import holding
from openfaith_pipeline.orgs.registry import pause_org
from openfaith_pipeline.planning_center import PlanningCenterClient
from openfaith_pipeline.webhooks.applier import apply_next
from openfaith_pipeline_tests.adversary.sender import (
    EVENTS,
    HOSTILE,
    PEACEFUL,
    body_of,
    element,
    headers,
    person,
    send,
)
from openfaith_pipeline_tests.adversary.test_hostile_sender import OUT_OF_RANGE
from openfaith_pipeline_tests.integration.webhooks.receiver import kept, post

TEXT = st.text(max_size=40) | st.sampled_from(["7", "\x00", "x" * 300, *OUT_OF_RANGE, *EVENTS, HOSTILE, PEACEFUL])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=12,
)
RECORDS = st.fixed_dictionaries(
    {"type": st.just("Person") | TEXT, "id": st.just("7") | JSON, "attributes": JSON | st.just({"first_name": "Eve"})},
    optional={"relationships": JSON, "links": JSON},
)
PAYLOADS = st.fixed_dictionaries({"data": RECORDS | JSON, "meta": st.fixed_dictionaries({"event_time": TEXT | JSON})})
CHURCHES = st.sampled_from([{"organization": {"data": {"type": "Organization", "id": id}}} for id in ("1", "2")])


@st.composite
def elements(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    made = element(draw(PAYLOADS), name=draw(TEXT), event_id=draw(st.none() | TEXT))
    return {**made, "relationships": draw(CHURCHES | JSON)}


def body_as_sent(found: list[Any]) -> bytes:
    try:
        return body_of(found)
    except TypeError:  # a number too large, or half a surrogate pair, which no JSON of orjson's has
        return b"{}"


BODIES = st.binary(max_size=200) | st.lists(elements(), max_size=5).map(body_as_sent)
PATHS = st.sampled_from([f"/api/webhooks/pco/{HOSTILE}", f"/api/webhooks/pco/{PEACEFUL}", "/api/webhooks/pco"])
MOMENTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40) | st.sampled_from(OUT_OF_RANGE)


@asynccontextmanager
async def no_client(_database: Database, _org_id: str, _adapter: str) -> AsyncIterator[PlanningCenterClient]:
    raise TransientError("Planning Center does not answer")
    yield  # makes it a generator, as a context manager must be


def apply_all(database: Database) -> set[str]:
    """Apply all due deliveries. Returns the orgs that had any."""

    async def run() -> set[str]:
        orgs: set[str] = set()
        async with database.pool(size=3, row_factory=dict_row) as pool, holding(pool) as holder:
            while applied := await apply_next(database, pool, holder, client_factory=no_client):
                orgs.add(applied.org_id)
        return orgs

    return asyncio.run(run())


def rows_of(database: Database, org_id: str) -> list[Any]:
    """The org's published people, raw and canonical."""
    with database.connect() as connection:
        people = connection.execute("SELECT * FROM pco_people.people WHERE org_id = %s", (org_id,)).fetchall()
        canonical = connection.execute('SELECT * FROM openfaith_people WHERE "orgId" = %s', (org_id,)).fetchall()
    return [people, canonical]


def test_whatever_one_church_sends_nothing_of_another_changes(service: Database) -> None:
    assert send(service, PEACEFUL, body_of([element(person(), event_id="before")])) == 200
    assert apply_all(service) == {PEACEFUL}
    expected = ["before"]
    with service.connect() as connection:
        pause_org(connection, PEACEFUL)  # its own deliveries must not change anything below
    people, canonical = rows_of(service, PEACEFUL)
    assert len(people) == len(canonical) == 1

    @hypothesis_settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=BODIES, path=PATHS, moment=MOMENTS, event=st.sampled_from(EVENTS))
    def harm(body: bytes, path: str, moment: str, event: str) -> None:
        signed = {**headers(HOSTILE, event, body), "X-PCO-Webhooks-Event-Time": moment}
        status, _ = post(service, path, body, signed)
        assert status == 401 if path.endswith(PEACEFUL) else status in (200, 401, 404)
        event_id = str(len(expected))
        assert send(service, PEACEFUL, body_of([element(person(), event_id=event_id)])) == 200
        expected.append(event_id)

    harm()
    assert [row["event_id"] for row in kept(service) if row["org_id"] == PEACEFUL] == expected
    assert apply_all(service) <= {HOSTILE}
    assert rows_of(service, PEACEFUL) == [people, canonical]
    with service.connect() as connection:
        connection.execute("UPDATE sync.orgs SET paused_at = NULL WHERE org_id = %s", (PEACEFUL,))
    assert PEACEFUL in apply_all(service), "and its turn comes"
    assert {row["event"] for row in kept(service) if row["org_id"] == HOSTILE} <= set(EVENTS)
