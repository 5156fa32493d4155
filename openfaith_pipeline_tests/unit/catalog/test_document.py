"""docs/catalog.md says of each documented type what becomes of it."""

from openfaith_pipeline.catalog.document import render_catalog
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.unit.planning_center.streams.reference import added_types, planned

DOCUMENT = render_catalog(STREAMS.values(), NOT_SYNCED)


def section_of(product: str) -> str:
    title = product.replace("_", "-").title()
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def row_of(stream_name: str) -> list[str]:
    line = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{stream_name}` |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_each_documented_type_has_its_row_or_its_reason() -> None:
    sections = {product: section_of(product) for product, _, _ in planned()}
    types = list(planned())

    for product, type_name, strategy in types:
        mark = f"- **{type_name}**: " if strategy == "skip" else f" | [{type_name}](https://"
        assert sections[product].count(mark) == 1, (product, type_name)
    assert len(types) + len(list(added_types())) == 255
    assert "Of the 255 types that Planning Center documents, 215 are synced" in DOCUMENT


def test_a_row_tells_how_where_what_and_to_whom() -> None:
    assert row_of("groups.memberships") == [
        "`groups.memberships`",
        "[Membership](https://api.planningcenteronline.com/docs/apps/groups/versions/2023-07-10/vertices/membership)",
        "child of `groups.groups`: full",
        "`/groups/v2/groups/{group_id}/memberships`",
        "`group_id` text, `person_id` text, `joined_at` timestamp, `role` text",
        "`group` `groups.groups`, `person` `groups.people`",
    ]


def test_a_row_tells_of_several_paths_links_and_what_is_withheld() -> None:
    assert row_of("calendar.tags")[2] == "filtered by `updated_at`"
    assert row_of("groups.groups")[3] == "`/groups/v2/groups`<br>with `where[archive_status]=include`"
    assert row_of("people.forms")[3] == "`/people/v2/forms`<br>and `/people/v2/forms?filter=archived`"
    assert row_of("calendar.event_requests")[2:4] == ["pushed", "none"]
    assert "`campuses` many of a type not synced in `events_campuses`" in row_of("check_ins.events")[5]
    assert row_of("people.custom_senders")[3] == "`/people/v2/custom_senders`<br>where it exists"
    assert row_of("groups.tags")[3] == (
        "`/groups/v2/tags`<br>where it exists; else `/groups/v2/tag_groups/{tag_group_id}/tags`"
    )
    assert row_of("groups.locations")[2:4] == [
        "included with `groups.groups` and `groups.events` as `location`",
        "`/groups/v2/groups/{group_id}/location`<br>and `/groups/v2/events/{event_id}/location`",
    ]
    assert row_of("registrations.signups")[5] == (
        "`campuses` many `registrations.campuses` in `signups_campuses`,"
        " `categories` many `registrations.categories` in `signups_categories`"
    )
    assert row_of("publishing.speakerships")[5] == "`episode` `publishing.episodes`, `speaker` any"
    assert row_of("webhooks.webhook_subscriptions")[4].endswith("never `authenticity_secret`")
    assert row_of("api.organization")[4:] == ["none", "none"]
