"""Ids in paths, whatever they are."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfaith_pipeline.catalog.paths import as_segment, fill_path, id_in, record_path
from openfaith_pipeline.planning_center.calls import Call
from openfaith_pipeline.planning_center.extract.single_record import own_path, parents_on, path_of
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS

ODD = "lyric_chart-12 (G#)"
IDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(identifier=IDS)
def test_any_id_comes_through_a_path_and_a_url_as_it_is(identifier: str) -> None:
    path = record_path(fill_path("/people/v2/households/{household_id}/memberships", {"household": identifier}), "7")
    sent = httpx.URL(f"https://pco.invalid{Call(path, {}, Product.PEOPLE).path}").raw_path.decode()
    assert len(sent.split("/")) == 7
    assert (id_in(sent.split("/")[4]), sent.split("/")[6]) == (identifier, "7")


@pytest.mark.parametrize("plain", ["17", "unique", "AC17", "default", "a:b", "x_y-z.1~"])
def test_a_plain_id_stays_as_it_is(plain: str) -> None:
    assert as_segment(plain) == plain


def test_a_records_own_link_and_its_parents_are_read_with_their_odd_ids() -> None:
    stream = STREAMS["registrations.attendees"]
    path = record_path(fill_path(stream.path, {"signup": ODD}), ODD)
    resource = {"id": ODD, "links": {"self": f"https://pco.invalid{path}"}}
    assert own_path(stream, resource) == path
    assert parents_on(stream, path) == {"signup": ODD}
    assert path_of(stream, {"id": ODD}, {"signup_id": ODD}) == path
