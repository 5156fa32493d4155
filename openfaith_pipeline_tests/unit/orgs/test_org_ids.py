"""Valid and invalid org ids."""

import pytest

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.orgs.org_ids import check_org_id, new_org_id


def test_ids_made_here_are_org_ids_and_differ() -> None:
    first, second = new_org_id(), new_org_id()
    check_org_id(first)
    assert first != second
    assert first.startswith("org_")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "new",
        "org",
        "org_",
        "org_first-church",
        "01h45ytscbebyvny4gc8cr8ma2",
        "person_01h45ytscbebyvny4gc8cr8ma2",
        "ORG_01h45ytscbebyvny4gc8cr8ma2",
        "org_01H45YTSCBEBYVNY4GC8CR8MA2",
        "org_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "org_01h45ytscbebyvny4gc8cr8ma2 ",
        "org_01h45ytscbebyvny4gc8cr8ma2\n",
        "org_01h45ytscbebyvny4gc8cr8mau",
    ],
)
def test_anything_else_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"such as org_[0-9a-z]{26}.*org add new"):
        check_org_id(wrong)
