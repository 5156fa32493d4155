"""Writes: sent as documents, and not repeated where that would do a thing twice."""

import httpx
import orjson
import pytest

from openfaith_pipeline.errors import TransientError, UnexpectedResponse
from openfaith_pipeline.planning_center import Document
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline_tests.unit.planning_center.gateway import Handler, client_of, in_turn, page, refusal, run

PATH = "/webhooks/v2/webhook_subscriptions"
BODY = {"data": {"type": "WebhookSubscription", "attributes": {"active": True}}}


def written(handler: Handler, method: str) -> Document:
    async def scenario() -> Document:
        async with client_of(handler) as client:
            return await client.write(method, PATH, product=Product.WEBHOOKS, body=BODY)

    return run(scenario())


def test_the_document_is_sent_with_the_product_s_version() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"data": {"type": "WebhookSubscription", "id": "7"}})

    document = written(answer, "POST")
    assert document.data == {"type": "WebhookSubscription", "id": "7"}
    [request] = seen
    assert (request.method, request.url.path) == ("POST", PATH)
    assert orjson.loads(request.content) == BODY
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-PCO-API-Version"] == "2022-10-20"


def test_a_post_that_may_have_happened_is_not_repeated() -> None:
    for failure in (refusal(502), httpx.ReadTimeout("slow")):
        with pytest.raises(TransientError):
            written(in_turn([failure]), "POST")


def test_a_post_that_has_to_wait_is_sent_again() -> None:
    answers = in_turn([refusal(429, Retry_After="2"), page("1")])
    assert written(answers, "POST").requests == 2


def test_a_request_that_may_be_done_twice_is_tried_again() -> None:
    assert written(in_turn([refusal(502), httpx.ReadTimeout("slow"), page("1")]), "PATCH").requests == 3


def test_nothing_is_left_of_a_deleted_record() -> None:
    assert written(in_turn([httpx.Response(204)]), "DELETE").data is None


def test_a_refusal_has_planning_centers_reason() -> None:
    with pytest.raises(UnexpectedResponse, match=r"POST /webhooks.*422.*url is invalid"):
        written(in_turn([refusal(422, title="Validation Error", detail="url is invalid")]), "POST")
