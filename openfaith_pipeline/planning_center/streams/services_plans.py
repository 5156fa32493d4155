"""Planning Center Services: plans of worship services, their items and files.

Plans and their contents are listed one parent at a time, down to three levels.
"""

from openfaith_pipeline.catalog.stream import BOOLEAN, INTEGER, JSON, TEXT, TIMESTAMP, TIMESTAMPS, Population, Stream
from openfaith_pipeline.planning_center.products import Product

SERIES = Stream(
    product=Product.SERVICES,
    type="Series",
    path="/services/v2/series",
    attributes={
        "artwork_file_name": TEXT,
        "artwork_content_type": TEXT,
        "artwork_file_size": INTEGER,
        "title": TEXT,
        "artwork_for_dashboard": TEXT,
        "artwork_for_mobile": TEXT,
        "artwork_for_plan": TEXT,
        "artwork_original": TEXT,
        "has_artwork": BOOLEAN,
        **TIMESTAMPS,
    },
    population=Population(6),
)

PLANS = Stream(
    product=Product.SERVICES,
    type="Plan",
    path="/services/v2/service_types/{service_type_id}/plans",
    deleted_under="/services/v2/service_types/{service_type_id}/unscoped_plans?filter=deleted",
    cursor="updated_at",
    attributes={
        "can_view_order": BOOLEAN,
        "prefers_order_view": BOOLEAN,
        "rehearsable": BOOLEAN,
        "items_count": INTEGER,
        "permissions": TEXT,
        "title": TEXT,
        "public": BOOLEAN,
        "public_by_schedule": BOOLEAN,
        "series_title": TEXT,
        "plan_notes_count": INTEGER,
        "other_time_count": INTEGER,
        "rehearsal_time_count": INTEGER,
        "service_time_count": INTEGER,
        "plan_people_count": INTEGER,
        "needed_positions_count": INTEGER,
        "total_length": INTEGER,
        "multi_day": BOOLEAN,
        "files_expire_at": TIMESTAMP,
        "sort_date": TIMESTAMP,
        "last_time_at": TIMESTAMP,
        "dates": TEXT,
        "short_dates": TEXT,
        "planning_center_url": TEXT,
        "reminders_disabled": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={
        "service_type": "services.service_types",
        "previous_plan": "services.plans",
        "next_plan": "services.plans",
        "series": "services.series",
        "created_by": "services.people",
        "updated_by": "services.people",
        "linked_publishing_episode": None,
    },
    has_many={"attachment_types": "services.attachment_types"},
    population=Population(6, per="services.service_types"),
)

PLAN_TEMPLATES = Stream(
    product=Product.SERVICES,
    type="PlanTemplate",
    path="/services/v2/service_types/{service_type_id}/plan_templates",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "name": TEXT,
        "item_count": INTEGER,
        "team_count": INTEGER,
        "note_count": INTEGER,
        "can_view_order": BOOLEAN,
        "multi_day": BOOLEAN,
        "rehearsable": BOOLEAN,
        "prefers_order_view": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={
        "service_type": "services.service_types",
        "created_by": "services.people",
        "updated_by": "services.people",
    },
    population=Population(1, per="services.service_types"),
)

PLAN_TIMES = Stream(
    product=Product.SERVICES,
    type="PlanTime",
    # Service types list the same records, but only the pages of plans show a time's plan.
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/plan_times",
    carried_as="plan_times",
    attributes={
        "name": TEXT,
        "time_type": TEXT,
        "recorded": BOOLEAN,
        "scheduled_team_ids": JSON,
        "team_reminders": JSON,
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "live_starts_at": TIMESTAMP,
        "live_ends_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    belongs_to={"service_type": "services.service_types", "plan": "services.plans"},
    unshown=("service_type", "plan"),
    has_many={"assigned_teams": "services.teams", "assigned_positions": "services.team_positions"},
    population=Population(2.5, per="services.plans"),
)

ITEMS = Stream(
    product=Product.SERVICES,
    type="Item",
    event_noun="plan_item",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items",
    also_under=("/services/v2/service_types/{service_type_id}/plan_templates/{plan_template_id}/items",),
    attributes={
        "title": TEXT,
        "sequence": INTEGER,
        "length": INTEGER,
        "item_type": TEXT,
        "html_details": TEXT,
        "service_position": TEXT,
        "description": TEXT,
        "key_name": TEXT,
        "custom_arrangement_sequence": JSON,
        "custom_arrangement_sequence_short": JSON,
        "custom_arrangement_sequence_full": JSON,
        **TIMESTAMPS,
    },
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "plan_template": "services.plan_templates",
        "song": "services.songs",
        "arrangement": "services.arrangements",
        "key": "services.keys",
        "selected_layout": None,
        "selected_background": "services.attachments",
        "selected_attachment": "services.attachments",
    },
    unshown=("service_type", "plan_template"),
    has_many={"media": "services.media"},
    asks_for=("selected_attachment", "media"),
    population=Population(6, per="services.plans"),
)

ITEM_NOTES = Stream(
    product=Product.SERVICES,
    type="ItemNote",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items/{item_id}/item_notes",
    carried_as="item_notes",
    attributes={"content": TEXT, "category_name": TEXT, **TIMESTAMPS},
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "item": "services.items",
        "item_note_category": "services.item_note_categories",
    },
    unshown=("service_type", "plan"),
    population=Population(0.5, per="services.items"),
)

ITEM_TIMES = Stream(
    product=Product.SERVICES,
    type="ItemTime",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items/{item_id}/item_times",
    carried_as="item_times",
    attributes={
        "live_start_at": TIMESTAMP,
        "live_end_at": TIMESTAMP,
        "exclude": BOOLEAN,
        "length": INTEGER,
        "length_offset": INTEGER,
    },
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "item": "services.items",
        "plan_time": "services.plan_times",
    },
    unshown=("service_type",),
    population=Population(1.5, per="services.items"),
)

ITEM_ASSIGNMENTS = Stream(
    product=Product.SERVICES,
    type="ItemAssignment",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items/{item_id}/item_assignments",
    attributes={"assignable_type": TEXT},
    belongs_to={"service_type": "services.service_types", "plan": "services.plans", "item": "services.items"},
    unshown=("service_type", "plan", "item"),
    population=Population(0.3, per="services.items"),
)

PLAN_NOTES = Stream(
    product=Product.SERVICES,
    type="PlanNote",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/notes",
    table="plan_notes",
    also_under=("/services/v2/service_types/{service_type_id}/plan_templates/{plan_template_id}/notes",),
    cursor="updated_at",
    attributes={"category_name": TEXT, "content": TEXT, **TIMESTAMPS},
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "plan_template": "services.plan_templates",
        "created_by": "services.people",
        "plan_note_category": "services.plan_note_categories",
    },
    unshown=("service_type", "plan", "plan_template"),
    has_many={"teams": "services.teams"},
    population=Population(1.5, per="services.plans"),
)

ATTACHMENTS = Stream(
    product=Product.SERVICES,
    type="Attachment",
    path="/services/v2/attachments",
    is_unconfirmed=True,
    # A plan lists the attachments of everything scheduled in it, the others those of records that may not be scheduled.
    fallback_path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/all_attachments",
    also_under=(
        "/services/v2/service_types/{service_type_id}/attachments",
        "/services/v2/media/{media_id}/attachments",
        "/services/v2/songs/{song_id}/attachments",
        "/services/v2/songs/{song_id}/arrangements/{arrangement_id}/attachments",
        "/services/v2/songs/{song_id}/arrangements/{arrangement_id}/keys/{key_id}/attachments",
    ),
    attributes={
        "attachable_type": TEXT,
        "page_order": TEXT,
        "filename": TEXT,
        "file_size": INTEGER,
        "licenses_purchased": INTEGER,
        "licenses_remaining": INTEGER,
        "licenses_used": INTEGER,
        "content": TEXT,
        "content_type": TEXT,
        "display_name": TEXT,
        "filetype": TEXT,
        "linked_url": TEXT,
        "pco_type": TEXT,
        "remote_link": TEXT,
        "thumbnail_url": TEXT,
        "url": TEXT,
        "allow_mp3_download": BOOLEAN,
        "web_streamable": BOOLEAN,
        "downloadable": BOOLEAN,
        "transposable": BOOLEAN,
        "import_to_item_details": BOOLEAN,
        "streamable": BOOLEAN,
        "has_preview": BOOLEAN,
        "deleted_at": TIMESTAMP,
        **TIMESTAMPS,
    },
    belongs_to={
        "attachable": None,
        "created_by": "services.people",
        "updated_by": "services.people",
        "administrator": "services.people",
    },
    has_many={"attachment_types": "services.attachment_types"},
    # `attachable` is the record a file is attached to; a plan also lists the files of its songs and media.
    walked_under={
        "service_type": "services.service_types",
        "media": "services.media",
        "song": "services.songs",
        "arrangement": "services.arrangements",
        "key": "services.keys",
        "plan": "services.plans",
    },
    population=Population(2, per="services.plans"),
)

CUSTOM_SLIDES = Stream(
    product=Product.SERVICES,
    type="CustomSlide",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/items/{item_id}/custom_slides",
    attributes={"body": TEXT, "label": TEXT, "order": INTEGER, "enabled": BOOLEAN},
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "item": "services.items",
        "attachment": "services.attachments",
    },
    unshown=("service_type", "plan"),
    population=Population(0.2, per="services.items"),
)
