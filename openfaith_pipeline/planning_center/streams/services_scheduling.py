"""Planning Center Services: who is scheduled in a plan, and who is away when."""

from openfaith_pipeline.catalog.stream import (
    BOOLEAN,
    DATE,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    TIMESTAMPS,
    Population,
    Stream,
)
from openfaith_pipeline.planning_center.products import Product

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
