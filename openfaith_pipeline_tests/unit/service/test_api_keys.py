"""OPENFAITH_API_KEYS: its syntax and meaning."""

import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.service.api_keys import SCOPES, find_key, read_keys

ORG, OTHER = "org_01k5t0w2m1e9qv4y8z3n7b6c5d", "org_01k5t0w2m1e9qv4y8z3n7b6c5e"


def keys(*entries: str):
    return read_keys([SecretStr(entry) for entry in entries])


def test_parts_that_are_left_out_mean_everything() -> None:
    bare, named, scoped, whole = keys(
        "alone", "app:second", "ro:third:read", f"one:fourth:trigger | read:{ORG}|{OTHER}"
    )
    assert (bare.name, bare.scopes, bare.orgs) == ("key1", SCOPES, None)
    assert (named.name, named.scopes, named.orgs) == ("app", SCOPES, None)
    assert (scoped.scopes, scoped.orgs) == ({"read"}, None)
    assert (whole.scopes, whole.orgs) == ({"trigger", "read"}, {ORG, OTHER})
    assert whole.may_for(ORG)
    assert not keys(f"a:planted::{ORG}")[0].may_for(OTHER)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("a:planted:read:org_x:more", "entry 1 is not"),
        (":planted", "entry 1 is not"),
        ("a:", "entry 1 is not"),
        ("a:planted:reed", "scope 'reed'"),
        ("a:planted:read:first-church", "is not an org id"),
    ],
)
def test_the_error_is_named_and_the_key_is_not(entry: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        keys(entry)
    assert "planted" not in str(refused.value)


def test_names_are_each_ones_own() -> None:
    with pytest.raises(ConfigurationError, match="the same name"):
        keys("a:first", "a:second")


def test_a_key_is_found_whole_or_not_at_all() -> None:
    known = keys("a:first-key", "b:zweiter-schlüssel")
    assert [find_key(known, given) for given in ("first-key", "zweiter-schlüssel")] == list(known)
    assert [find_key(known, given) for given in ("first-ke", "first-key ", "", "a:first-key")] == [None] * 4
