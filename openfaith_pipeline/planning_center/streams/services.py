"""Planning Center Services: plans of worship services, songs, and the teams that serve.

Plans and their contents are listed one parent at a time, down to three levels.

The populations are assumptions, not measurements: one in twelve serves, and three kinds of service have six plans each,
a term rather than years, because each plan costs five requests, and each of its items and team members one more.
"""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    TIMESTAMPS,
    Population,
    Stream,
)
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

PEOPLE = Stream(
    product=Product.SERVICES,
    type="Person",
    path="/services/v2/people",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "photo_url": TEXT,
        "photo_thumbnail_url": TEXT,
        "preferred_app": TEXT,
        "assigned_to_rehearsal_team": BOOLEAN,
        "archived_at": TIMESTAMP,
        "first_name": TEXT,
        "last_name": TEXT,
        "name_prefix": TEXT,
        "name_suffix": TEXT,
        "facebook_id": TEXT,
        "legacy_id": TEXT,
        "anniversary": DATE,
        "birthdate": DATE,
        "full_name": TEXT,
        "media_permissions": TEXT,
        "permissions": TEXT,
        "song_permissions": TEXT,
        "status": TEXT,
        "max_permissions": TEXT,
        "max_plan_permissions": TEXT,
        "given_name": TEXT,
        "middle_name": TEXT,
        "nickname": TEXT,
        "archived": BOOLEAN,
        "site_administrator": BOOLEAN,
        "logged_in_at": TIMESTAMP,
        "notes": TEXT,
        "passed_background_check": BOOLEAN,
        "ical_code": TEXT,
        "access_media_attachments": BOOLEAN,
        "access_plan_attachments": BOOLEAN,
        "access_song_attachments": BOOLEAN,
        "preferred_max_plans_per_day": INTEGER,
        "preferred_max_plans_per_month": INTEGER,
        "praise_charts_enabled": BOOLEAN,
        "me_tab": TEXT,
        "plans_tab": TEXT,
        "songs_tab": TEXT,
        "media_tab": TEXT,
        "people_tab": TEXT,
        "can_edit_all_people": BOOLEAN,
        "can_view_all_people": BOOLEAN,
        "onboardings": JSON,
        **TIMESTAMPS,
    },
    belongs_to={"created_by": "services.people", "updated_by": "services.people", "current_folder": "services.folders"},
    has_many={"tags": "services.tags"},
    asks_for=("tags",),
    population=Population(0.08, per="church"),
)

EMAILS = Stream(
    product=Product.SERVICES,
    type="Email",
    path="/services/v2/people/{person_id}/emails",
    carried_as="emails",
    attributes={"primary": BOOLEAN, "address": TEXT},
    belongs_to={"person": "services.people"},
    unshown=("person",),
    population=Population(1.1, per="services.people"),
)

TEAMS = Stream(
    product=Product.SERVICES,
    type="Team",
    path="/services/v2/teams",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "name": TEXT,
        "rehearsal_team": BOOLEAN,
        "sequence": INTEGER,
        "schedule_to": TEXT,
        "default_status": TEXT,
        "default_prepare_notifications": BOOLEAN,
        "archived_at": TIMESTAMP,
        "deleted_at": TIMESTAMP,
        "viewers_see": INTEGER,
        "assigned_directly": BOOLEAN,
        "secure_team": BOOLEAN,
        "last_plan_from": TEXT,
        "stage_color": TEXT,
        "stage_variant": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"service_type": "services.service_types", "default_responds_to": "services.people"},
    has_many={"service_types": "services.service_types"},
    population=Population(6),
)

TEAM_POSITIONS = Stream(
    product=Product.SERVICES,
    type="TeamPosition",
    path="/services/v2/teams/{team_id}/team_positions",
    carried_as="team_positions",
    attributes={"name": TEXT, "sequence": INTEGER, "tags": JSON, "negative_tag_groups": JSON, "tag_groups": JSON},
    belongs_to={"team": "services.teams"},
    has_many={"attachment_types": "services.attachment_types", "tags": "services.tags"},
    population=Population(4, per="services.teams"),
)

TEAM_LEADERS = Stream(
    product=Product.SERVICES,
    type="TeamLeader",
    path="/services/v2/teams/{team_id}/team_leaders",
    carried_as="team_leaders",
    attributes={
        "send_responses_for_accepts": BOOLEAN,
        "send_responses_for_declines": BOOLEAN,
        "send_responses_for_blockouts": BOOLEAN,
    },
    belongs_to={"team": "services.teams", "person": "services.people"},
    population=Population(1.2, per="services.teams"),
)

PERSON_TEAM_POSITION_ASSIGNMENTS = Stream(
    product=Product.SERVICES,
    type="PersonTeamPositionAssignment",
    path="/services/v2/teams/{team_id}/person_team_position_assignments",
    carried_as="person_team_position_assignments",
    attributes={"schedule_preference": TEXT, "preferred_weeks": JSON, **TIMESTAMPS},
    belongs_to={"team": "services.teams", "person": "services.people", "team_position": "services.team_positions"},
    unshown=("team",),
    has_many={"time_preference_options": "services.time_preference_options"},
    population=Population(12, per="services.teams"),
)

SONGS = Stream(
    product=Product.SERVICES,
    type="Song",
    path="/services/v2/songs",
    # It is unknown whether the list omits them; if it does not, this shows them a second time.
    hidden_under=("/services/v2/songs?where[hidden]=true",),
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "title": TEXT,
        "admin": TEXT,
        "author": TEXT,
        "copyright": TEXT,
        "hidden": BOOLEAN,
        "notes": TEXT,
        "themes": TEXT,
        "last_scheduled_short_dates": TEXT,
        "last_scheduled_at": TIMESTAMP,
        "ccli_number": INTEGER,
        **TIMESTAMPS,
    },
    population=Population(40),
)

ARRANGEMENTS = Stream(
    product=Product.SERVICES,
    type="Arrangement",
    path="/services/v2/songs/{song_id}/arrangements",
    attributes={
        "bpm": FLOAT,
        "has_chords": BOOLEAN,
        "length": INTEGER,
        "meter": TEXT,
        "name": TEXT,
        "notes": TEXT,
        "print_margin": TEXT,
        "print_orientation": TEXT,
        "print_page_size": TEXT,
        "chord_chart": TEXT,
        "chord_chart_font": TEXT,
        "chord_chart_key": TEXT,
        "chord_chart_columns": INTEGER,
        "chord_chart_font_size": INTEGER,
        "has_chord_chart": BOOLEAN,
        "lyrics_enabled": BOOLEAN,
        "number_chart_enabled": BOOLEAN,
        "numeral_chart_enabled": BOOLEAN,
        "sequence": JSON,
        "sequence_short": JSON,
        "sequence_full": JSON,
        "chord_chart_chord_color": INTEGER,
        "archived_at": TIMESTAMP,
        "lyrics": TEXT,
        "isrc": JSON,
        "mtid": TEXT,
        "rehearsal_mix_id": TEXT,
        "rehearsal_mix_thumbnail": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"song": "services.songs", "updated_by": "services.people", "created_by": "services.people"},
    population=Population(1.2, per="services.songs"),
)

ARRANGEMENT_SECTIONS = Stream(
    product=Product.SERVICES,
    type="ArrangementSections",
    path="/services/v2/songs/{song_id}/arrangements/{arrangement_id}/sections",
    table="arrangement_sections",
    carried_as="sections",
    is_singleton=True,
    attributes={"sections": JSON},
    belongs_to={"song": "services.songs", "arrangement": "services.arrangements"},
    unshown=("song", "arrangement"),
    population=Population(1, per="services.arrangements"),
)

KEYS = Stream(
    product=Product.SERVICES,
    type="Key",
    path="/services/v2/songs/{song_id}/arrangements/{arrangement_id}/keys",
    carried_as="keys",
    attributes={
        "name": TEXT,
        "alternate_keys": JSON,
        "ending_key": TEXT,
        "starting_key": TEXT,
        "starting_minor": BOOLEAN,
        "ending_minor": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"song": "services.songs", "arrangement": "services.arrangements"},
    unshown=("song",),
    population=Population(1.3, per="services.arrangements"),
)

MEDIA = Stream(
    product=Product.SERVICES,
    type="Media",
    path="/services/v2/media",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={
        "themes": TEXT,
        "title": TEXT,
        "thumbnail_file_name": TEXT,
        "thumbnail_content_type": TEXT,
        "thumbnail_file_size": INTEGER,
        "thumbnail_updated_at": TIMESTAMP,
        "preview_file_name": TEXT,
        "preview_content_type": TEXT,
        "preview_file_size": INTEGER,
        "preview_updated_at": TIMESTAMP,
        "length": INTEGER,
        "media_type": TEXT,
        "media_type_name": TEXT,
        "thumbnail_url": TEXT,
        "creator_name": TEXT,
        "preview_url": TEXT,
        "image_url": TEXT,
        **TIMESTAMPS,
    },
    population=Population(10),
)

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

PLAN_PEOPLE = Stream(
    product=Product.SERVICES,
    type="PlanPerson",
    # Also listed under people, but far more people than plans would have to be visited.
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/team_members",
    table="plan_people",
    also_under=("/services/v2/service_types/{service_type_id}/plan_templates/{plan_template_id}/team_members",),
    attributes={
        "status": TEXT,
        "notes": TEXT,
        "decline_reason": TEXT,
        "name": TEXT,
        "notification_changed_by_name": TEXT,
        "notification_sender_name": TEXT,
        "team_position_name": TEXT,
        "photo_thumbnail": TEXT,
        "status_updated_at": TIMESTAMP,
        "notification_changed_at": TIMESTAMP,
        "notification_prepared_at": TIMESTAMP,
        "notification_read_at": TIMESTAMP,
        "notification_sent_at": TIMESTAMP,
        "prepare_notification": BOOLEAN,
        "can_accept_partial": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "plan_template": "services.plan_templates",
        "person": "services.people",
        "scheduled_by": "services.people",
        "team": "services.teams",
        "responds_to": "services.people",
    },
    unshown=("plan_template",),
    has_many={
        "times": "services.plan_times",
        "service_times": "services.plan_times",
        "time_preference_options": "services.time_preference_options",
        "declined_plan_times": "services.plan_times",
    },
    asks_for=("declined_plan_times",),
    population=Population(6, per="services.plans"),
)

PLAN_PERSON_TIMES = Stream(
    product=Product.SERVICES,
    type="PlanPersonTime",
    # One list for each service type, which has not been observed; those under each plan person would cost thousands of
    # requests.
    path="/services/v2/service_types/{service_type_id}/plan_person_times",
    is_unconfirmed=True,
    fallback_path="/services/v2/people/{person_id}/plan_people/{plan_person_id}/plan_person_times",
    cursor="updated_at",
    is_cursor_filterable=False,
    attributes={"status": TEXT, **TIMESTAMPS},
    belongs_to={
        "person": "services.people",
        "plan_person": "services.plan_people",
        "plan_time": "services.plan_times",
        "plan": "services.plans",
    },
    unshown=("person",),
    # The plan shows it.
    walked_under={"service_type": "services.service_types"},
    population=Population(1.5, per="services.plan_people"),
)

NEEDED_POSITIONS = Stream(
    product=Product.SERVICES,
    type="NeededPosition",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/needed_positions",
    attributes={"quantity": INTEGER, "team_position_name": TEXT, "scheduled_to": TEXT},
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "team": "services.teams",
        "time": "services.plan_times",
        "time_preference_option": "services.time_preference_options",
    },
    unshown=("service_type",),
    population=Population(1, per="services.plans"),
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

ATTENDANCES = Stream(
    product=Product.SERVICES,
    type="Attendance",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/attendances",
    attributes={"checked_in_at": TIMESTAMP, "check_ins_event_id": TEXT, "check_ins_event_period_id": TEXT},
    belongs_to={
        "service_type": "services.service_types",
        "plan": "services.plans",
        "plan_time": "services.plan_times",
        "plan_person": "services.plan_people",
    },
    unshown=("service_type", "plan"),
    population=Population(3, per="services.plans"),
)

CONTRIBUTORS = Stream(
    product=Product.SERVICES,
    type="Contributor",
    path="/services/v2/service_types/{service_type_id}/plans/{plan_id}/contributors",
    carried_as="contributors",
    attributes={
        "contributable_action": TEXT,
        "contributable_category": TEXT,
        "contributable_type": TEXT,
        "full_name": TEXT,
        "photo_thumbnail_url": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"service_type": "services.service_types", "plan": "services.plans", "person": "services.people"},
    unshown=("service_type",),
    population=Population(2, per="services.plans"),
)

SPLIT_TEAM_REHEARSAL_ASSIGNMENTS = Stream(
    product=Product.SERVICES,
    type="SplitTeamRehearsalAssignment",
    path="/services/v2/service_types/{service_type_id}/plan_times/{plan_time_id}/split_team_rehearsal_assignments",
    carried_as="split_team_rehearsal_assignments",
    attributes={"schedule_special_service_times": BOOLEAN},
    belongs_to={"service_type": "services.service_types", "plan_time": "services.plan_times", "team": "services.teams"},
    unshown=("service_type", "plan_time"),
    has_many={"time_preference_options": "services.time_preference_options"},
    population=Population(0.2, per="services.plan_times"),
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

BLOCKOUTS = Stream(
    product=Product.SERVICES,
    type="Blockout",
    path="/services/v2/people/{person_id}/blockouts",
    attributes={
        "description": TEXT,
        "group_identifier": TEXT,
        "organization_name": TEXT,
        "reason": TEXT,
        "repeat_frequency": TEXT,
        "repeat_interval": TEXT,
        "repeat_period": TEXT,
        "settings": JSON,
        "time_zone": TEXT,
        "repeat_until": DATE,
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "share": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"person": "services.people"},
    population=Population(0.5, per="services.people"),
)

BLOCKOUT_DATES = Stream(
    product=Product.SERVICES,
    type="BlockoutDate",
    path="/services/v2/people/{person_id}/blockouts/{blockout_id}/blockout_dates",
    attributes={
        "group_identifier": TEXT,
        "reason": TEXT,
        "time_zone": TEXT,
        "share": BOOLEAN,
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "ends_at_utc": TIMESTAMP,
        "starts_at_utc": TIMESTAMP,
    },
    belongs_to={"person": "services.people", "blockout": "services.blockouts"},
    population=Population(2, per="services.blockouts"),
)

BLOCKOUT_EXCEPTIONS = Stream(
    product=Product.SERVICES,
    type="BlockoutException",
    path="/services/v2/people/{person_id}/blockouts/{blockout_id}/blockout_exceptions",
    attributes={"date": DATE, **TIMESTAMPS},
    belongs_to={"person": "services.people", "blockout": "services.blockouts"},
    unshown=("person",),
    population=Population(0.2, per="services.blockouts"),
)

SCHEDULING_PREFERENCES = Stream(
    product=Product.SERVICES,
    type="SchedulingPreference",
    path="/services/v2/people/{person_id}/scheduling_preferences",
    attributes={"preference": TEXT},
    belongs_to={"person": "services.people", "household_member": "services.people"},
    unshown=("person",),
    population=Population(0.5, per="services.people"),
)

TEXT_SETTINGS = Stream(
    product=Product.SERVICES,
    type="TextSetting",
    path="/services/v2/people/{person_id}/text_settings",
    attributes={
        "scheduling_requests_enabled": BOOLEAN,
        "general_emails_enabled": BOOLEAN,
        "scheduling_replies_enabled": BOOLEAN,
        "reminders_enabled": BOOLEAN,
        "carrier": TEXT,
        "display_number": TEXT,
        "normalized_number": TEXT,
    },
    belongs_to={"person": "services.people"},
    unshown=("person",),
    population=Population(1, per="services.people"),
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
