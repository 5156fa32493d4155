"""docs/catalog/ describes every documented type and every column."""

import pytest

from openfaith_pipeline.catalog.document import render_pages
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.streams.reference import added_types, planned

PAGES = render_pages(STREAMS.values(), NOT_SYNCED)


def page_of(product: str) -> str:
    return PAGES[f"{product.replace('_', '-')}.md"]


def section_of(stream_name: str) -> str:
    product, _, table = stream_name.partition(".")
    return page_of(product).split(f"\n## {table}\n")[1].split("\n## ")[0]


def line_of(stream_name: str, name: str) -> str:
    return next(
        line.removeprefix(f"- {name}: ")
        for line in section_of(stream_name).splitlines()
        if line.startswith(f"- {name}")
    )


def test_each_documented_type_has_its_section_or_its_reason() -> None:
    types = list(planned())

    for product, type_name, strategy in types:
        mark = f"- **{type_name}**: " if strategy == "skip" else f" Type [{type_name}](https://"
        assert page_of(product).count(mark) == 1, (product, type_name)
    assert len(types) + len(list(added_types())) == 255
    assert "Of the 255 types that Planning Center documents, 215 are synced" in PAGES["README.md"]


def test_the_index_links_to_each_page_and_a_page_to_each_section() -> None:
    assert all(f"]({name})" in PAGES["README.md"] for name in PAGES if name != "README.md")
    for stream in STREAMS.values():
        assert f"[`{stream.short_name}`](#{stream.short_name})" in page_of(stream.product.value)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_section_has_a_row_for_each_column(stream: object) -> None:
    declared = STREAMS[stream.name]  # type: ignore[attr-defined]
    rows = [line for line in section_of(declared.name).splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(declared.columns)
    assert all(len(row.split("|")[4].split()) > 1 for row in rows)


def test_a_section_has_path_table_columns_and_parents() -> None:
    assert section_of("groups.memberships").strip().splitlines() == [
        "Members and leaders of groups. Type [Membership](https://api.planningcenteronline.com/docs/apps/groups/"
        "versions/2023-07-10/vertices/membership), table `pco_groups.memberships`.",
        "",
        "- Read as: child of `groups.groups`: full",
        "- Path: `/groups/v2/groups/{group_id}/memberships`",
        "- Parents: `groups.groups`",
        "",
        "| column | type | holds | description |",
        "|---|---|---|---|",
        "| `group_id` | text |  | Id of the group, in pco_groups.groups |",
        "| `person_id` | text |  | Id of the person, in pco_groups.people |",
        "| `joined_at` | timestamp |  | When the person joined |",
        "| `role` | text |  | member or leader |",
    ]


def test_a_section_has_several_paths_links_and_withheld_attributes() -> None:
    assert line_of("calendar.tags", "Read as") == "filtered by `updated_at`"
    assert line_of("groups.groups", "Path") == "`/groups/v2/groups`<br>with `where[archive_status]=include`"
    assert line_of("people.forms", "Path") == "`/people/v2/forms`<br>and `/people/v2/forms?filter=archived`"
    assert line_of("calendar.event_requests", "Read as") == "pushed"
    assert line_of("calendar.event_requests", "Path") == "none"
    assert line_of("people.custom_senders", "Path") == "`/people/v2/custom_senders`<br>where it exists"
    assert line_of("groups.tags", "Path") == (
        "`/groups/v2/tags`<br>where it exists; else `/groups/v2/tag_groups/{tag_group_id}/tags`"
    )
    assert line_of("groups.locations", "Read as") == "included with `groups.groups` and `groups.events` as `location`"
    assert line_of("groups.locations", "Path") == (
        "`/groups/v2/groups/{group_id}/location`<br>and `/groups/v2/events/{event_id}/location`"
    )
    links = "Table of links `pco_registrations.signups_campuses`. `related_id`: id of one of its campuses, in"
    assert links in section_of("registrations.signups")
    assert "`pco_check_ins.events_campuses`. `related_id`: id of one of its campuses." in section_of("check_ins.events")
    assert line_of("webhooks.webhook_subscriptions", "Never requested nor stored") == "`authenticity_secret`"
    assert "| column |" not in section_of("api.organization")
