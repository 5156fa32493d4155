"""An org by a name: the one that is meant, and those that may have been."""

from dataclasses import dataclass

import pytest

from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.orgs.naming import find_among


@dataclass(frozen=True)
class Church:
    org_id: str
    name: str


CEDAR = Church("org_01j0rgwekhe0jsnh33nmmj2qsv", "Cedar Hollow Chapel")
JUNIPER = Church("org_01j2d233d6es08kzawddff0621", "Saint Juniper's")
BOTH = [CEDAR, JUNIPER]


@pytest.mark.parametrize("name", ["cedar hollow chapel", "org_01j0", CEDAR.org_id])
def test_a_name_an_id_and_a_beginning_of_an_id_mean_one(name: str) -> None:
    assert find_among(BOTH, name) == CEDAR


@pytest.mark.parametrize(("typed", "meant"), [("cedar", CEDAR), ("Juni", JUNIPER), ("Cedar Holow Chapel", CEDAR)])
def test_a_part_of_a_name_is_answered_with_the_whole(typed: str, meant: Church) -> None:
    """It is not taken for it: `org remove grace --yes` may be of a church that is gone already."""
    with pytest.raises(UnknownOrg, match=rf"did you mean {meant.name} \({meant.org_id}\)\?"):
        find_among(BOTH, typed)


def test_a_name_like_none_is_none() -> None:
    assert find_among(BOTH, "(") is None
    assert find_among(BOTH, " ") is None
