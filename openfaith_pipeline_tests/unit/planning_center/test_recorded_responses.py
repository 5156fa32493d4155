"""Every recorded response of the live API is read as its status demands."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from openfaith_pipeline.errors import (
    OpenFaithError,
    PathNotFound,
    ProductNotGranted,
    QueryRefused,
    RateLimitedError,
    StreamForbidden,
    TransientError,
    UnexpectedResponse,
)
from openfaith_pipeline.planning_center import RetryLimits
from openfaith_pipeline_tests.unit.planning_center.gateway import read

SAMPLES = Path(__file__).parents[3].parent / "shared" / "pco-api" / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
REFUSED: dict[str, type[OpenFaithError]] = {
    "err_401_bad_scope": ProductNotGranted,
    "err_401_trash_panda": ProductNotGranted,
    "err_403_vertex": StreamForbidden,
    "err_403_waf_cloudfront": TransientError,
    "err_422_validation_groups": UnexpectedResponse,
    "err_429_docs": RateLimitedError,
    "err_429_high_offset": RateLimitedError,
    "err_500": TransientError,
    "err_household_memberships_top_level": PathNotFound,
    "err_oauth_invalid_grant": QueryRefused,
    "err_unknown_collection": PathNotFound,
    "people_not_found": PathNotFound,
}
"""What is not here is a document. The status of the token endpoint's refusal was not recorded; OAuth says 400."""


def recorded(name: str) -> tuple[httpx.Response, Any]:
    sample = orjson.loads((SAMPLES / f"{name}.json").read_bytes())
    response = sample.get("response", sample)
    body = response.get("body", response.get("body_shape"))
    content = response["body_raw"].encode() if "body_raw" in response else orjson.dumps(body)
    status = response.get("status", 400 if "error" in (body or {}) else 200)
    headers = {key: value for key, value in response.get("headers", {}).items() if key != "content-length"}
    return httpx.Response(status, content=content, headers=headers), body


@pytest.mark.skipif(not NAMES, reason="the recorded responses are not part of the project")
def test_recordings_are_all_there() -> None:
    assert set(REFUSED) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_response_is_read_as_its_status_demands(name: str) -> None:
    response, body = recorded(name)
    impatient = RetryLimits(attempts=1, total=timedelta())
    if name in REFUSED:
        with pytest.raises(OpenFaithError) as caught:
            read(lambda _: response, retry=impatient)
        assert type(caught.value) is REFUSED[name]
    else:
        document = read(lambda _: response, retry=impatient)
        assert document.data == body["data"]
        assert document.included == body.get("included", [])
        assert document.total_count == body.get("meta", {}).get("total_count")


@pytest.mark.skipif(not NAMES, reason="the recorded responses are not part of the project")
def test_recorded_refusal_names_its_wait() -> None:
    response, _ = recorded("err_429_docs")
    with pytest.raises(RateLimitedError, match="Rate limit exceeded: 118 of 100 requests per 20 seconds") as caught:
        read(lambda _: response, retry=RetryLimits(total=timedelta()))
    assert caught.value.retry_after == timedelta(seconds=19)
