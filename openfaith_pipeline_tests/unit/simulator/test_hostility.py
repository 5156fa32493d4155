"""The simulator's hostile answers do what their names say."""

import zlib

import orjson
import pytest

from openfaith_pipeline.simulator.answers import Answer, Ending, document, not_found
from openfaith_pipeline.simulator.faults import FaultBox, Script
from openfaith_pipeline.simulator.hostility import HOSTILE, LED_AWAY, UNREADABLE
from openfaith_pipeline.simulator.options import Faults

SELF = "http://127.0.0.1:9/people/v2/emails"


def spoiled(kind: str, *texts: str) -> Answer:
    body = {"links": {"self": SELF}, "data": [{"type": "Email", "id": text} for text in texts]}
    return FaultBox(Faults()).spoil(kind, lambda: document(orjson.dumps(body)), None)


def test_links_that_lead_away_lead_to_a_host_of_another_name() -> None:
    away = f"http://localhost:9/people/v2/emails?{LED_AWAY}"
    redirect = spoiled("redirect")
    assert (redirect.status, redirect.headers["Location"]) == (307, away)
    assert orjson.loads(spoiled("foreign_next").body)["links"]["next"] == away


def test_bodies_are_larger_than_they_look_without_end_or_no_json() -> None:
    bomb = spoiled("bomb")
    assert len(bomb.body) < 1024**2 < len(zlib.decompress(bomb.body, 16 + zlib.MAX_WBITS)) // 100
    assert spoiled("endless").ending is Ending.ENDLESS
    assert spoiled("wrong_type").content_type == "text/html"
    assert orjson.loads(spoiled("object_for_list").body)["data"] == {}
    assert len(orjson.loads(spoiled("foreign_included").body)["included"]) > 1
    for text in UNREADABLE:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(spoiled("unreadable", text).body)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_script_has_a_request_fare_so_and_a_refusal_stays_one(kind: str) -> None:
    assert Script(kind).answer == kind
    assert FaultBox(Faults()).spoil(kind, not_found, None).body == not_found().body
