"""Faults, drawn and scripted."""

import pytest

from openfaith_pipeline.simulator import Faults, Latency, RateLimit, Script
from openfaith_pipeline.simulator.answers import Ending
from openfaith_pipeline_tests.unit.simulator.api import Api

PEOPLE = "/people/v2/people"
EMAILS = "/people/v2/emails"


def fates(api: Api, count: int) -> list[tuple[int, str, Ending]]:
    answers = [api.send(PEOPLE) for _ in range(count)]
    return [(answer.status, answer.content_type, answer.ending) for answer in answers]


def test_same_seed_same_faults() -> None:
    runs = [fates(Api(people=3, faults=Faults.evenly(0.4, seed=seed)), 60) for seed in (5, 5, 6)]
    assert runs[0] == runs[1] != runs[2]


def test_every_kind_is_drawn_at_its_rate() -> None:
    api = Api(people=3, faults=Faults.evenly(0.5, seed=1))
    drawn = [api.center.faults.drawn() for _ in range(4000)]
    shares = {kind: drawn.count(kind) / len(drawn) for kind in (*Faults.KINDS, "pass")}
    assert shares.pop("pass") == pytest.approx(0.5, abs=0.04)
    assert set(shares) == set(Faults.KINDS)
    assert all(share == pytest.approx(0.0625, abs=0.02) for share in shares.values())


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("rate_limited", 429, "application/json"),
        ("server_error", 500, "application/json"),
        ("bad_gateway", 502, "text/html; charset=iso-8859-1"),
        ("firewall", 403, "text/html; charset=iso-8859-1"),
        ("not_json", 200, "application/vnd.api+json"),
        ("truncated", 200, "application/vnd.api+json"),
        ("trash_panda", 401, "application/json"),
        ("not_found", 404, "application/json"),
    ],
)
def test_scripted_answer_strikes_once(kind: str, status: int, content_type: str) -> None:
    api = Api(people=3)
    api.center.faults.add(Script(answer=kind, stream="people.people"))
    assert api.send(EMAILS).status == 200
    struck = api.send(PEOPLE)
    assert (struck.status, struck.content_type) == (status, content_type)
    assert (struck.ending is Ending.TRUNCATED) is (kind == "truncated")
    again = api.send(PEOPLE)
    assert (again.status, again.ending) == (200, Ending.WHOLE)


def test_a_gateway_before_planning_center_knows_no_budget() -> None:
    api = Api(people=3, rate_limit=RateLimit())
    for kind, is_counted in (("bad_gateway", False), ("firewall", False), ("server_error", True)):
        api.center.faults.add(Script(answer=kind))
        assert ("X-PCO-API-Request-Rate-Count" in api.send(PEOPLE).headers) is is_counted


def test_script_skips_and_repeats() -> None:
    api = Api(people=3)
    api.center.faults.add(Script(answer="server_error", skip=2, times=2))
    assert [api.send(PEOPLE).status for _ in range(5)] == [200, 200, 500, 500, 200]


def test_script_can_change_a_record_in_the_middle_of_a_listing() -> None:
    api = Api(people=30)
    mutation = {"action": "delete", "stream": "people.people", "ids": [985]}
    api.center.faults.add(Script(stream="people.people", skip=1, mutation=mutation))
    assert 985 in api.ids(f"{PEOPLE}?per_page=10")
    assert api.ids(f"{PEOPLE}?per_page=10&offset=10")[0] == 996
    assert 985 not in api.ids(f"{PEOPLE}?per_page=10")


def test_script_may_be_about_a_path_an_include_or_a_record_and_for_ever() -> None:
    api = Api(people=30)
    first, second, *_ = api.ids(f"{PEOPLE}?per_page=10")
    for script in (
        Script("server_error", path=f"{PEOPLE}/*/emails", times=None),
        Script("server_error", include="emails", times=None),
        Script("server_error", record=str(first), times=None),
    ):
        api.center.faults.add(script)
    for _ in range(2):
        assert api.send(f"{PEOPLE}/{second}/emails").status == 500
        assert api.send(f"{PEOPLE}?include=addresses,emails&offset=1").status == 500
        assert api.send(f"{PEOPLE}?include=addresses&offset=1").status == 200
        assert api.send(f"{PEOPLE}?per_page=2").status == api.send(f"{PEOPLE}/{first}").status == 500
        assert api.send(f"{PEOPLE}?per_page=2&offset=1").status == api.send(f"{PEOPLE}/{second}").status == 200


def test_unknown_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no answer"):
        Script(answer="explode")


def test_latency_grows_with_rows() -> None:
    api = Api(people=30, latency=Latency(base_ms=40, per_row_ms=6))
    assert api.send(f"{PEOPLE}?per_page=10").delay_seconds == pytest.approx(0.1)
    assert api.send(f"{PEOPLE}?per_page=0").delay_seconds == pytest.approx(0.04)


def test_slow_is_the_true_answer_later() -> None:
    api = Api(people=3, faults=Faults(slow=1, slow_ms=500))
    answer = api.send(PEOPLE)
    assert (answer.status, answer.rows) == (200, 3)
    assert answer.delay_seconds == pytest.approx(0.5)
