"""The rate limit as its headers and refusals show it."""

import pytest

from openfaith_pipeline.simulator import ChurchSpec, RateLimit
from openfaith_pipeline_tests.unit.simulator.api import ORG, Api, basic, error_of

PEOPLE = "/people/v2/people"


def counted(api: Api, target: str = PEOPLE, **headers: str) -> tuple[int, str]:
    answer = api.send(target, **headers)
    return answer.status, answer.headers["X-PCO-API-Request-Rate-Count"]


@pytest.mark.parametrize("is_sliding", [False, True])
def test_refused_requests_count_on_and_the_window_passes(is_sliding: bool) -> None:
    api = Api(people=3, rate_limit=RateLimit(limit=3, period_seconds=20, is_sliding=is_sliding))
    assert [counted(api) for _ in range(5)] == [(200, "1"), (200, "2"), (200, "3"), (429, "4"), (429, "5")]
    refused = api.send(PEOPLE)
    assert error_of(refused)["detail"] == "Rate limit exceeded: 6 of 3 requests per 20 seconds"
    assert refused.headers["Retry-After"] == "20"
    assert refused.headers["X-PCO-API-Request-Rate-Limit"] == "3"
    api.center.clock.advance(20)
    assert counted(api) == (200, "1")


def test_windows_differ_when_fixed_or_sliding() -> None:
    statuses = {}
    for is_sliding in (False, True):
        api = Api(people=3, rate_limit=RateLimit(limit=2, period_seconds=20, is_sliding=is_sliding))
        counted(api)
        api.center.clock.advance(15)
        counted(api)
        api.center.clock.advance(6)
        statuses[is_sliding] = [counted(api)[0] for _ in range(2)]
    assert statuses == {False: [200, 200], True: [200, 429]}


def test_users_have_budgets_of_their_own() -> None:
    other = ChurchSpec("org_other", people=3)
    api = Api(ChurchSpec(ORG, people=3), other, rate_limit=RateLimit(limit=1))
    assert counted(api) == (200, "1")
    assert counted(api)[0] == 429
    assert counted(api, authorization=basic(other)) == (200, "1")


def test_deep_offsets_have_a_lower_limit_that_no_header_shows() -> None:
    limit = RateLimit(limit=100, high_offset=50, high_offset_limit=2)
    api = Api(people=3, rate_limit=limit)
    answers = [api.send(f"{PEOPLE}?offset=51") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert error_of(answers[2])["detail"] == "Rate limit exceeded: 3 of 2 requests per 20 seconds"
    assert answers[2].headers["X-PCO-API-Request-Rate-Limit"] == "100"
    assert api.send(f"{PEOPLE}?offset=50").status == 200


def test_a_spent_budget_is_reported_before_the_lower_limit_is_looked_at() -> None:
    api = Api(people=3, rate_limit=RateLimit(limit=2, high_offset=50, high_offset_limit=1))
    for _ in range(2):
        api.send(PEOPLE)
    assert error_of(api.send(f"{PEOPLE}?offset=51"))["detail"].startswith("Rate limit exceeded: 3 of 2 ")


def test_limit_can_be_changed_and_taken_away() -> None:
    api = Api(people=3, rate_limit=RateLimit(limit=1))
    counted(api)
    api.center.limiter.limit = RateLimit(limit=2)
    assert [counted(api)[0] for _ in range(3)] == [200, 200, 429]
    api.center.limiter.limit = None
    answer = api.send(PEOPLE)
    assert (answer.status, "X-PCO-API-Request-Rate-Limit" in answer.headers) == (200, False)


def test_unknown_credentials_count_for_nobody() -> None:
    api = Api(people=3, rate_limit=RateLimit(limit=2))
    for _ in range(4):
        assert api.send(PEOPLE, authorization="Basic eDp5").status == 401
    assert counted(api) == (200, "1")
