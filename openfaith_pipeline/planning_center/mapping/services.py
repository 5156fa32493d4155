"""Services: service types and their plans, their times, their contents, and the files attached.

Songs and media are in `services_songs`, teams and who serves in `services_teams`. Its people are records of People.
"""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import FirstOf, Joined, Presence, Reference, Rule, Take, taken
from openfaith_pipeline.planning_center.streams import people, services, services_plans, services_songs, services_teams

PEOPLE = Alias(stream=services_teams.PEOPLE, of=people.PEOPLE)

FOLDERS = Folder(stream=services.FOLDERS, parent="parent")

TAG_GROUPS = Folder(stream=services.TAG_GROUPS, parent="folder")

TAGS = Entity(
    table="tags",
    tag="tag",
    stream=services.TAGS,
    columns={"name": Take("name", default=""), "folderId": Reference("tag_group")},
    is_qualified=True,
)

SERIES = Folder(stream=services_plans.SERIES, name=Take("title", default=""))

_UNLESS_DELETED: dict[str, Rule] = {
    "status": Presence("deleted_at", "inactive", "active"),
    "inactivatedAt": Take("deleted_at"),
}

ITEM_NOTE_CATEGORIES = Folder(stream=services.ITEM_NOTE_CATEGORIES, columns=_UNLESS_DELETED)

PLAN_NOTE_CATEGORIES = Folder(stream=services.PLAN_NOTE_CATEGORIES, columns=_UNLESS_DELETED)

SERVICE_TYPES = Entity(
    table="serviceTypes",
    tag="serviceType",
    stream=services.SERVICE_TYPES,
    columns={
        "name": Take("name", default=""),
        **taken("sequence", "frequency"),
        "status": Presence("archived_at", "inactive", "active", also="deleted_at"),
        "inactivatedAt": FirstOf("archived_at", "deleted_at"),
        "folderId": Reference("parent"),
    },
)

PUBLIC_VIEWS = Field(
    stream=services.PUBLIC_VIEWS,
    on=services.SERVICE_TYPES,
    via="service_type",
    values={
        f"public_view_{name}": Take(name)
        for name in services.PUBLIC_VIEWS.attributes
        # The shops that offer a song are a setting of the page only.
        if name not in {"itunes", "amazon", "spotify", "youtube", "vimeo"}
    },
)

LIVE_CONTROLLERS = Field(
    stream=services.LIVE_CONTROLLERS,
    on=services.SERVICE_TYPES,
    via="service_type",
    values={"live_controllers": Take("full_name")},
)

TIME_PREFERENCE_OPTIONS = Entity(
    table="timePreferenceOptions",
    tag="timePreferenceOption",
    stream=services.TIME_PREFERENCE_OPTIONS,
    columns={**taken("description", "day_of_week", "minute_of_day", "time_type", "starts_at")},
)

PLANS = Entity(
    table="plans",
    tag="plan",
    stream=services_plans.PLANS,
    columns={
        **taken("title", "series_title", "dates", "short_dates", "sort_date", "last_time_at", "total_length", "public"),
        "url": Take("planning_center_url"),
        "serviceTypeId": Reference("service_type"),
        "seriesId": Reference("series"),
    },
)

PLAN_TIMES = Entity(
    table="planTimes",
    tag="planTime",
    stream=services_plans.PLAN_TIMES,
    columns={
        **taken("name", "time_type", "starts_at", "ends_at", "live_starts_at", "live_ends_at"),
        "planId": Reference("plan"),
    },
)

PLAN_NOTES = Edge(
    stream=services_plans.PLAN_NOTES,
    between=("plan", "plan_note_category"),
    metadata={**taken("category_name", "content"), "createdById": Reference("created_by")},
)

ITEMS = Entity(
    table="items",
    tag="item",
    stream=services_plans.ITEMS,
    columns={
        "title": Take("title", default=""),
        **taken("item_type", "sequence", "length", "description", "service_position", "key_name"),
        "planId": Reference("plan"),
        "songId": Reference("song"),
        "arrangementId": Reference("arrangement"),
    },
)

ITEM_NOTES = Edge(
    stream=services_plans.ITEM_NOTES, between=("item", "item_note_category"), metadata=taken("category_name", "content")
)

ITEM_TIMES = Field(
    stream=services_plans.ITEM_TIMES,
    on=services_plans.ITEMS,
    via="item",
    values={"live_start_at": Take("live_start_at"), "live_end_at": Take("live_end_at")},
)

CUSTOM_SLIDES = Field(
    stream=services_plans.CUSTOM_SLIDES,
    on=services_plans.ITEMS,
    via="item",
    values={"custom_slides": Joined("label", "body", by=": ")},
)

ATTACHMENT_TYPE_GROUPS = Folder(stream=services.ATTACHMENT_TYPE_GROUPS)

ATTACHMENTS = Entity(
    table="attachments",
    tag="attachment",
    stream=services_plans.ATTACHMENTS,
    columns={
        "name": Take("filename", default=""),
        **taken("content_type", "file_size", "url", "thumbnail_url", "linked_url"),
        **_UNLESS_DELETED,
    },
    names={
        "attachable": (
            *(services_plans.PLANS, services_plans.ITEMS, services.SERVICE_TYPES),
            *(services_songs.SONGS, services_songs.ARRANGEMENTS, services_songs.KEYS, services_songs.MEDIA),
        )
    },
    is_qualified=True,
)

ATTACHMENT_TYPES = Field(
    stream=services.ATTACHMENT_TYPES,
    on=services_plans.ATTACHMENTS,
    via="attachment_types",
    values={"attachment_types": Take("name")},
)

EMAIL_TEMPLATES = Entity(
    table="emailTemplates",
    tag="emailTemplate",
    stream=services.EMAIL_TEMPLATES,
    columns={**taken("subject", "kind"), "body": Take("html_body")},
)

REPORT_TEMPLATES = Entity(
    table="reportTemplates",
    tag="reportTemplate",
    stream=services.REPORT_TEMPLATES,
    columns={"title": Take("title", default=""), **taken("body"), "reportType": Take("type")},
)
