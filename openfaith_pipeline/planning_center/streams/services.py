"""Planning Center Services: the church, its types of service, and their settings and templates.

The populations, as in the other modules of Services, are assumptions, not measurements: one in twelve serves, and three
kinds of service have six plans each, a term rather than years, because each plan costs five requests, and each of its
items and team members one more.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, INTEGER, JSON, TEXT, TIMESTAMP, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

ORGANIZATION = Stream(
    product=Product.SERVICES,
    type="Organization",
    path="/services/v2",
    table="organization",
    is_singleton=True,
    # The reference calls both file storage sizes booleans; they are stored as received.
    attributes={
        "ccli": TEXT,
        "date_format": TEXT,
        "music_stand_enabled": BOOLEAN,
        "name": TEXT,
        "projector_enabled": BOOLEAN,
        "time_zone": TEXT,
        "twenty_four_hour_time": BOOLEAN,
        "owner_name": TEXT,
        "required_to_set_download_permission": TEXT,
        "allow_mp3_download": BOOLEAN,
        "calendar_starts_on_sunday": BOOLEAN,
        "ccli_connected": BOOLEAN,
        "ccli_auto_reporting_enabled": BOOLEAN,
        "ccli_reporting_enabled": BOOLEAN,
        "extra_file_storage_allowed": BOOLEAN,
        "file_storage_exceeded": BOOLEAN,
        "file_storage_size": JSON,
        "file_storage_size_used": JSON,
        "file_storage_extra_enabled": BOOLEAN,
        "rehearsal_mix_enabled": BOOLEAN,
        "rehearsal_pack_connected": BOOLEAN,
        "legacy_id": TEXT,
        "file_storage_extra_charges": INTEGER,
        "people_allowed": INTEGER,
        "people_remaining": INTEGER,
        "beta": BOOLEAN,
        **TIMESTAMPS,
    },
    withheld=("secret",),
    population=Population(1),
)

ATTACHMENT_TYPE_GROUPS = Stream(
    product=Product.SERVICES,
    type="AttachmentTypeGroup",
    path="/services/v2/attachment_type_groups",
    is_unconfirmed=True,
    attributes={"name": TEXT, "readonly": BOOLEAN},
    population=Population(2),
)

ATTACHMENT_TYPES = Stream(
    product=Product.SERVICES,
    type="AttachmentType",
    path="/services/v2/attachment_types",
    attributes={
        "name": TEXT,
        "aliases": JSON,
        "capoed_chord_charts": BOOLEAN,
        "chord_charts": BOOLEAN,
        "exclusions": JSON,
        "lyrics": BOOLEAN,
        "number_charts": BOOLEAN,
        "numeral_charts": BOOLEAN,
        "built_in": BOOLEAN,
    },
    belongs_to={"attachment_type_group": "services.attachment_type_groups"},
    population=Population(5),
)

FOLDERS = Stream(
    product=Product.SERVICES,
    type="Folder",
    path="/services/v2/folders",
    attributes={"name": TEXT, "container": TEXT, **TIMESTAMPS},
    belongs_to={"parent": "services.folders", "campus": None},
    has_many={"ancestors": "services.folders"},
    population=Population(2),
)

TAG_GROUPS = Stream(
    product=Product.SERVICES,
    type="TagGroup",
    path="/services/v2/tag_groups",
    attributes={
        "name": TEXT,
        "required": BOOLEAN,
        "allow_multiple_selections": BOOLEAN,
        "tags_for": TEXT,
        "service_type_folder_name": TEXT,
    },
    belongs_to={"folder": "services.folders"},
    asks_for=("folder",),
    population=Population(3),
)

TAGS = Stream(
    product=Product.SERVICES,
    type="Tag",
    path="/services/v2/tag_groups/{tag_group_id}/tags",
    carried_as="tags",
    attributes={"name": TEXT},
    belongs_to={"tag_group": "services.tag_groups"},
    population=Population(5, per="services.tag_groups"),
)

SERVICE_TYPES = Stream(
    product=Product.SERVICES,
    type="ServiceType",
    path="/services/v2/service_types",
    attributes={
        "archived_at": TIMESTAMP,
        "deleted_at": TIMESTAMP,
        "name": TEXT,
        "sequence": INTEGER,
        "permissions": TEXT,
        "attachment_types_enabled": BOOLEAN,
        "scheduled_publish": BOOLEAN,
        "custom_item_types": JSON,
        "standard_item_types": JSON,
        "background_check_permissions": TEXT,
        "comment_permissions": TEXT,
        "frequency": TEXT,
        "last_plan_from": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"parent": "services.folders"},
    population=Population(3),
)

TIME_PREFERENCE_OPTIONS = Stream(
    product=Product.SERVICES,
    type="TimePreferenceOption",
    path="/services/v2/service_types/{service_type_id}/time_preference_options",
    carried_as="time_preference_options",
    attributes={
        "day_of_week": INTEGER,
        "description": TEXT,
        "sort_index": TEXT,
        "time_type": TEXT,
        "minute_of_day": INTEGER,
        "starts_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    belongs_to={"service_type": "services.service_types"},
    unshown=("service_type",),
    population=Population(2, per="services.service_types"),
)

ITEM_NOTE_CATEGORIES = Stream(
    product=Product.SERVICES,
    type="ItemNoteCategory",
    path="/services/v2/service_types/{service_type_id}/item_note_categories",
    attributes={"deleted_at": TIMESTAMP, "name": TEXT, "sequence": INTEGER, "frequently_used": BOOLEAN, **TIMESTAMPS},
    belongs_to={"service_type": "services.service_types"},
    population=Population(3, per="services.service_types"),
)

PLAN_NOTE_CATEGORIES = Stream(
    product=Product.SERVICES,
    type="PlanNoteCategory",
    path="/services/v2/service_types/{service_type_id}/plan_note_categories",
    attributes={"deleted_at": TIMESTAMP, "name": TEXT, "sequence": INTEGER, **TIMESTAMPS},
    belongs_to={"service_type": "services.service_types"},
    has_many={"teams": "services.teams"},
    population=Population(3, per="services.service_types"),
)

EMAIL_TEMPLATES = Stream(
    product=Product.SERVICES,
    type="EmailTemplate",
    path="/services/v2/email_templates",
    attributes={"kind": TEXT, "html_body": TEXT, "subject": TEXT, **TIMESTAMPS},
    belongs_to={"template_owner": None},
    population=Population(4),
)

REPORT_TEMPLATES = Stream(
    product=Product.SERVICES,
    type="ReportTemplate",
    path="/services/v2/report_templates",
    attributes={"body": TEXT, "title": TEXT, "type": TEXT, "default": BOOLEAN},
    population=Population(4),
)

LIVE_CONTROLLERS = Stream(
    product=Product.SERVICES,
    type="LiveController",
    path="/services/v2/service_types/{service_type_id}/live_controllers",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={"full_name": TEXT, "photo_thumbnail_url": TEXT, **TIMESTAMPS},
    belongs_to={"service_type": "services.service_types", "person": "services.people"},
    unshown=("service_type",),
    population=Population(2, per="services.service_types"),
)

PUBLIC_VIEWS = Stream(
    product=Product.SERVICES,
    type="PublicView",
    path="/services/v2/service_types/{service_type_id}/public_view",
    table="public_views",
    is_singleton=True,
    attributes={
        "series_artwork": BOOLEAN,
        "series_and_plan_titles": BOOLEAN,
        "item_descriptions": BOOLEAN,
        "item_lengths": BOOLEAN,
        "service_times": BOOLEAN,
        "song_items": BOOLEAN,
        "media_items": BOOLEAN,
        "regular_items": BOOLEAN,
        "headers": BOOLEAN,
        "itunes": BOOLEAN,
        "amazon": BOOLEAN,
        "spotify": BOOLEAN,
        "youtube": BOOLEAN,
        "vimeo": BOOLEAN,
    },
    belongs_to={"service_type": "services.service_types"},
    unshown=("service_type",),
    population=Population(1, per="services.service_types"),
)
