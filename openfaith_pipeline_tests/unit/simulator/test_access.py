"""Access control: tokens, scopes, products, methods and the firewall."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from openfaith_pipeline.simulator import ChurchSpec
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.simulator.api import ORG, Api, basic, error_of

PEOPLE = "/people/v2/people"
CALLBACK = "http://localhost/back"
CLIENT = {"client_id": "simulated-oauth-app", "client_secret": "made-up-oauth-secret"}


@pytest.fixture
def api() -> Api:
    return Api(ChurchSpec(ORG, people=8), ChurchSpec("org_other", people=4, seed=2, granted=("people",)))


def authorize(api: Api, **more: str) -> str:
    query = f"client_id={CLIENT['client_id']}&redirect_uri={CALLBACK}&response_type=code&scope=people+groups&state=s"
    query += "".join(f"&{name}={value}" for name, value in more.items())
    answer = api.send(f"/oauth/authorize?{query}")
    assert answer.status == 302
    sent = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert sent["state"] == ["s"]
    return sent["code"][0]


def connect(api: Api, **more: str) -> dict[str, str]:
    form = {"grant_type": "authorization_code", "code": authorize(api, **more), "redirect_uri": CALLBACK, **CLIENT}
    status, token = api.post("/oauth/token", **form)
    assert status == 200
    return token


def refresh(api: Api, token: str) -> tuple[int, dict[str, str]]:
    return api.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **CLIENT)


def test_churches_are_distinguished_by_their_credentials(api: Api) -> None:
    other = api.center.options.churches[1]
    mine, theirs = api.get(PEOPLE), api.get(PEOPLE, authorization=basic(other))
    assert (mine["meta"]["total_count"], theirs["meta"]["total_count"]) == (8, 4)
    assert mine["meta"]["parent"] != theirs["meta"]["parent"]
    assert mine["data"][0]["id"] == theirs["data"][0]["id"]


@pytest.mark.parametrize("value", ["", "Basic nonsense", "Basic eDp5", "Bearer nobody"])
def test_wrong_credentials(api: Api, value: str) -> None:
    answer = api.send(PEOPLE, authorization=value)
    assert answer.status == 401
    assert error_of(answer)["code"] == "unauthorized"
    assert "TRASH_PANDA" not in error_of(answer)["detail"]


def test_product_that_is_not_granted(api: Api) -> None:
    other = basic(api.center.options.churches[1])
    answer = api.send("/giving/v2/donations", authorization=other)
    assert answer.status == 401
    assert "TRASH_PANDA" in error_of(answer)["detail"]
    assert api.send(PEOPLE, authorization=other).status == 200


def test_missing_scope_is_refused_before_the_path_is_looked_at(api: Api) -> None:
    token = connect(api)
    answer = api.send("/giving/v2/no_such_path", authorization=f"Bearer {token['access_token']}")
    assert (answer.status, error_of(answer)["code"]) == (401, "bad_scope")
    assert api.send(PEOPLE, authorization=f"Bearer {token['access_token']}").status == 200


def test_forbidden_stream_is_403_in_json(api: Api) -> None:
    api.trap(forbidden_streams=("people.campuses",))
    answer = api.send("/people/v2/campuses")
    assert (answer.status, answer.content_type) == (403, "application/json")
    assert "CampusVertex" in error_of(answer)["meta"]["description"]
    assert api.get(f"{PEOPLE}?include=primary_campus")["included"]


def test_no_user_agent_meets_the_firewall(api: Api) -> None:
    answer = api.send(PEOPLE, user_agent="")
    assert answer.status == 403
    assert answer.content_type.startswith("text/html")
    assert b"CloudFront" in answer.body


def test_put_gets_a_page_and_other_writes_are_refused(api: Api) -> None:
    answer = api.send(f"{PEOPLE}/985", "PUT")
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert api.send(PEOPLE, "POST", b"{}").status == 403


def test_token_response_and_userinfo(api: Api) -> None:
    token = connect(api)
    assert set(token) == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "created_at"}
    assert (token["token_type"], token["expires_in"]) == ("bearer", 7200)
    info = orjson.loads(api.send("/oauth/userinfo", authorization=f"Bearer {token['access_token']}").body)
    assert info["organization_id"] == str(api.spec.organization_id)
    me = api.get("/people/v2/me", authorization=f"Bearer {token['access_token']}")["data"]
    assert (me["type"], me["id"], me["attributes"]["name"]) == ("Person", info["sub"], info["name"])


def test_me_is_the_record_of_the_person_whose_credentials_are_used(api: Api) -> None:
    [me, person] = [api.get(f"{path}?include=emails") for path in ("/people/v2/me", f"{PEOPLE}/985")]
    assert (me["data"], me["included"]) == (person["data"], person["included"])
    assert api.get("/people/v2/me/emails")["data"] == api.get(f"{PEOPLE}/985/emails")["data"]
    assert api.send("/people/v2/mexico").status == 404


def test_login_hint_or_sign_in_chooses_the_church(api: Api) -> None:
    theirs = connect(api, login_hint="org_other")
    assert api.get(PEOPLE, authorization=f"Bearer {theirs['access_token']}")["meta"]["total_count"] == 4
    api.center.authorizations.signed_in = "org_other"
    assert api.get(PEOPLE, authorization=f"Bearer {connect(api)['access_token']}")["meta"]["total_count"] == 4


def test_access_token_expires_and_a_refresh_rotates(api: Api) -> None:
    first = connect(api)
    api.center.clock.advance(7201)
    expired = api.send(PEOPLE, authorization=f"Bearer {first['access_token']}")
    assert (expired.status, "BABOON" in error_of(expired)["detail"]) == (401, True)
    status, second = refresh(api, first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert api.send(PEOPLE, authorization=f"Bearer {second['access_token']}").status == 200
    status, error = refresh(api, first["refresh_token"])
    assert (status, error["error"]) == (400, "invalid_grant")


def test_refresh_token_is_honoured_for_ninety_days(api: Api) -> None:
    token = connect(api)
    api.center.clock.advance(91 * 86_400)
    assert refresh(api, token["refresh_token"])[1]["error"] == "invalid_grant"


def test_code_works_once_and_only_where_it_was_sent(api: Api) -> None:
    form = {"grant_type": "authorization_code", "code": authorize(api), **CLIENT}
    assert api.post("/oauth/token", redirect_uri="http://elsewhere", **form)[1]["error"] == "invalid_grant"
    token_form = {"grant_type": "authorization_code", "code": authorize(api), "redirect_uri": CALLBACK, **CLIENT}
    assert api.post("/oauth/token", **token_form)[0] == 200
    assert api.post("/oauth/token", **token_form)[1]["error"] == "invalid_grant"


def test_code_challenge_must_be_met(api: Api) -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, **CLIENT}
    for verifier, expected in (("wrong", 400), ("verifier", 200)):
        code = authorize(api, code_challenge=challenge)
        assert api.post("/oauth/token", code=code, code_verifier=verifier, **form)[0] == expected


def test_revoking_either_token_ends_both(api: Api) -> None:
    token = connect(api)
    assert api.post("/oauth/revoke", token=token["refresh_token"], **CLIENT)[0] == 200
    revoked = api.send(PEOPLE, authorization=f"Bearer {token['access_token']}")
    assert (revoked.status, "CAPUCHIN" in error_of(revoked)["detail"]) == (401, True)
    assert refresh(api, token["refresh_token"])[1]["error"] == "invalid_grant"


def test_wrong_client_is_refused(api: Api) -> None:
    status, error = api.post("/oauth/token", grant_type="refresh_token", client_id="x", client_secret="y")
    assert (status, error["error"]) == (401, "invalid_client")


def test_invalid_grant_is_worded_as_recorded(api: Api) -> None:
    error = refresh(api, "unknown")[1]
    assert error["error_description"].startswith("The provided authorization grant is invalid, expired, revoked")


def test_a_church_has_one_name_everywhere() -> None:
    api = Api(ChurchSpec(ORG, name="Saint Juniper's", people=5))
    named = [name for name, stream in STREAMS.items() if stream.type == "Organization" and "name" in stream.attributes]
    told = [api.get(STREAMS[name].path)["data"]["attributes"]["name"] for name in named]
    truth = [api.church.truth(name)[0]["attributes"]["name"] for name in named]
    assert len(named) > 5
    assert {*told, *truth} == {"Saint Juniper's"}
