"""Every column has words, and every column with sensitive data its mark."""

import re
from dataclasses import replace

import pytest

from openfaith_pipeline.catalog.stream import JSON, TEXT, Stream
from openfaith_pipeline.catalog.words import (
    Mark,
    Words,
    describe_columns,
    describe_links,
    describe_table,
    health,
    strictest,
)
from openfaith_pipeline.planning_center.dictionary import DICTIONARIES
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.sources import STREAMS

SENSITIVE_NAMES = re.compile(
    r"""^(?!.*(_enabled|_count|_type)$).*(
    e_?mail | phone | birth | anniversary | address | street | latitude | longitude | medical | allerg |
    first_name | last_name | middle_name | nickname | full_name | person_name | gender | emergency |
    amount | _cents | payment | last4 | donat | note$ | notes$ | avatar | photo | ical_code | security_code
    )""",
    re.VERBOSE,
)
"""Names of attributes that are likely to be personal, financial or about health."""

SHOWN_TO_ALL = {
    "people.organization": "the church's own",
    "people.campuses": "the church's own",
    "giving.campuses": "the church's own",
    "registrations.campuses": "the church's own",
    "registrations.signup_locations": "where an event takes place",
    "check_ins.organization": "the church's own",
    "check_ins.locations": "a room, and who it is for",
    "publishing.speakers": "named publicly in each episode",
}
"""Streams of which nothing is marked, with the reason."""

OF_THINGS = {
    "people.people.can_email_lists": "a right",
    "services.songs.notes": "on the song",
    "services.arrangements.notes": "on the arrangement",
    "calendar.conflicts.note": "on the solution",
    "calendar.event_resource_requests.notes": "on the booking",
    "check_ins.event_periods.note": "on the day",
    "registrations.selection_types.price_cents": "a list price",
    "publishing.note_templates.auto_create_free_form_notes": "a setting",
    "giving.pledges.amount_currency": "a currency",
    "giving.recurring_donations.amount_currency": "a currency",
    "giving.recurring_donation_designations.amount_currency": "a currency",
    "giving.donations.amount_currency": "a currency",
    "giving.designations.amount_currency": "a currency",
    "giving.refunds.amount_currency": "a currency",
    "giving.designation_refunds.amount_currency": "a currency",
}
"""Attributes that sound sensitive and are not, with the reason."""


def undescribed(stream: Stream) -> list[str]:
    return [name for name in stream.columns if name not in describe_columns(stream)]


def unmarked(stream: Stream) -> list[str]:
    """Attributes that sound sensitive, without a mark."""
    if stream.name in SHOWN_TO_ALL:
        return []
    described = describe_columns(stream)
    names = [name for name in stream.attributes if name not in stream.relationship_columns]
    return [
        name
        for name in names
        if SENSITIVE_NAMES.search(name)
        and not (name in described and described[name].mark)
        and f"{stream.name}.{name}" not in OF_THINGS
    ]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_column_has_words_and_its_mark(stream: Stream) -> None:
    assert undescribed(stream) == []
    assert unmarked(stream) == []
    assert stream.short_name in stream.product.dictionary.tables


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_words_are_sentences_that_say_more_than_the_name(stream: Stream) -> None:
    for name, words in {**describe_columns(stream), "": Words(describe_table(stream))}.items():
        assert not words.text.endswith((" .", ";", ",")), name
        assert "  " not in words.text, name
        assert words.text.strip() == words.text, name
        assert words.text.lower() != name.replace("_", " "), name


def test_an_attribute_without_words_and_one_without_its_mark_are_noticed() -> None:
    people = STREAMS["people.people"]
    added = replace(people, attributes={**people.attributes, "shoe_size": TEXT, "home_phone": TEXT})
    assert undescribed(added) == ["shoe_size", "home_phone"]
    assert unmarked(added) == ["home_phone"]
    described = replace(added, words={"shoe_size": "Size of shoes", "home_phone": "Number at home"})
    assert (undescribed(described), unmarked(described)) == ([], ["home_phone"])


def test_no_words_are_left_of_undeclared_columns() -> None:
    of = {
        product: {each.short_name: each for each in STREAMS.values() if each.product is product} for product in Product
    }
    for product, streams in of.items():
        dictionary = DICTIONARIES[product.value]
        assert dictionary.tables.keys() == streams.keys()
        for table, attributes in dictionary.attributes.items():
            assert not attributes.keys() - streams[table].columns.keys(), table


def test_words_of_the_declaration_win_over_those_of_the_dictionary_and_these_over_derived_ones() -> None:
    emails = STREAMS["people.emails"]
    assert describe_columns(emails)["address"] == Words("The email address", Mark.PERSONAL)
    assert describe_columns(emails)["created_at"] == Words("When the record was created in Planning Center")
    changed = replace(emails, description="Letters", words={"address": health("Of the clinic")})
    assert describe_columns(changed)["address"] == Words("Of the clinic", Mark.HEALTH)
    assert (describe_table(emails), describe_table(changed)) == ("Email addresses of people", "Letters")


def test_relationships_name_the_table_that_they_lead_to() -> None:
    things = Stream(
        product=Product.GROUPS,
        type="Thing",
        path="/groups/v2/things",
        attributes={"data": JSON},
        belongs_to={"created_by": "groups.people", "attachable": None},
        has_many={"tags": "groups.tags", "others": None},
    )
    described = {name: words.text for name, words in describe_columns(things).items()}
    assert described["created_by_id"] == "Id of the person who created it, in pco_groups.people"
    assert described["attachable_id"] == "Id of the record it belongs to, a record of the type in attachable_type"
    assert described["attachable_type"] == "Type of the record that attachable_id names"
    assert "data" not in described
    assert describe_table(things) == "Things of Planning Center Groups"
    assert describe_links(things, "tags")["related_id"].text == "Id of one of its tags, in pco_groups.tags"
    assert describe_links(things, "others")["related_id"].text == "Id of one of its others"


def test_a_mark_stands_at_the_end_of_the_comment_and_the_strictest_wins() -> None:
    assert describe_columns(STREAMS["people.people"])["medical_notes"].comment.endswith(" [health]")
    assert Words("Color").comment == "Color"
    assert strictest({None, Mark.PERSONAL, Mark.FINANCIAL}) is Mark.FINANCIAL
    assert strictest({Mark.HEALTH, Mark.FINANCIAL}) is Mark.HEALTH
    assert strictest({None}) is None
