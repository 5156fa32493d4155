"""Credentials that change under way: renewed on a 401, once, and confirmed when they are accepted."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import ConnectionRejected, ProductNotGranted
from openfaith_pipeline.planning_center import Credentials, OAuthToken
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline_tests.unit.planning_center.gateway import Answer, Handler, client_of, page, refusal, run

OLD, NEW, NEWER = (OAuthToken(SecretStr(text), None, None) for text in ("pl4nted-old", "pl4nted-new", "pl4nted-newer"))


@dataclass
class Tokens:
    """A provider that has these tokens one after the other."""

    tokens: list[OAuthToken]
    refused: list[Credentials] = field(default_factory=list)
    confirmed: list[Credentials] = field(default_factory=list)

    async def current(self) -> Credentials:
        return self.tokens[0]

    async def renewed(self, refused: Credentials) -> Credentials | None:
        self.refused.append(refused)
        if refused is self.tokens[0]:
            del self.tokens[0]
        return self.tokens[0] if self.tokens else None

    async def worked(self, credentials: Credentials) -> None:
        self.confirmed.append(credentials)


def only(good: OAuthToken, refuse: Answer) -> Handler:
    def answer(request: httpx.Request) -> Answer:
        is_good = request.headers["Authorization"] == f"Bearer {good.access_token.get_secret_value()}"
        return page("1") if is_good else refuse

    return answer


async def read_twice(handler: Handler, tokens: Tokens) -> int:
    async with client_of(handler, credentials=tokens) as client:
        for _ in range(2):
            await client.get("/people/v2/people", {}, product=Product.PEOPLE)
        return client.requests


def test_a_refused_token_is_renewed_and_the_request_made_again() -> None:
    tokens = Tokens([OLD, NEW])

    assert run(read_twice(only(NEW, refusal(401)), tokens)) == 3
    assert (tokens.refused, tokens.confirmed) == ([OLD], [NEW])


def test_a_refusal_of_the_new_token_too_is_believed() -> None:
    tokens = Tokens([OLD, NEW, NEWER])
    with pytest.raises(ConnectionRejected):
        run(read_twice(only(NEWER, refusal(401)), tokens))

    assert (tokens.refused, tokens.confirmed) == ([OLD], [])


@pytest.mark.parametrize("hint", ["Error Code Hint: (TRASH_PANDA)", "Error Code Hint: (PELICAN)"])
def test_a_product_that_is_not_granted_is_no_reason_to_renew(hint: str) -> None:
    tokens = Tokens([OLD, NEW])
    with pytest.raises(ProductNotGranted):
        run(read_twice(only(NEW, refusal(401, detail=hint)), tokens))

    assert tokens.refused == []


def test_no_message_repeats_any_of_the_tokens() -> None:
    def echo(request: httpx.Request) -> Any:
        return refusal(401, detail=f"not {request.headers['Authorization']}, and not pl4nted-old either")

    with pytest.raises(ConnectionRejected) as refused:
        run(read_twice(echo, Tokens([OLD, NEW])))
    assert "pl4nted" not in str(refused.value)
