"""Services: teams with their positions, who serves when and who cannot."""

from openfaith_pipeline.canonical.model import Edge, Entity, Field
from openfaith_pipeline.canonical.rules import Day, FirstOf, Presence, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import people, services_scheduling, services_teams

TEAMS = Entity(
    table="teams",
    tag="team",
    stream=services_teams.TEAMS,
    columns={
        "name": Take("name", default=""),
        **taken("sequence", "schedule_to"),
        "status": Presence("archived_at", "inactive", "active", also="deleted_at"),
        "inactivatedAt": FirstOf("archived_at", "deleted_at"),
        "serviceTypeId": Reference("service_type"),
    },
)

TEAM_POSITIONS = Entity(
    table="teamPositions",
    tag="teamPosition",
    stream=services_teams.TEAM_POSITIONS,
    columns={"name": Take("name", default=""), **taken("sequence"), "teamId": Reference("team")},
)

TEAM_LEADERS = Edge(
    stream=services_teams.TEAM_LEADERS,
    between=("team", "person"),
    metadata=taken("send_responses_for_accepts", "send_responses_for_declines", "send_responses_for_blockouts"),
)

PERSON_TEAM_POSITION_ASSIGNMENTS = Edge(
    stream=services_teams.PERSON_TEAM_POSITION_ASSIGNMENTS,
    between=("person", "team_position"),
    metadata={**taken("schedule_preference", "preferred_weeks", "created_at"), "teamId": Reference("team")},
)

# C, U and D: confirmed, unconfirmed and declined.
PLAN_PEOPLE = Edge(
    stream=services_scheduling.PLAN_PEOPLE,
    between=("plan", "person"),
    metadata={
        **taken("status", "notes", "decline_reason", "status_updated_at"),
        "position": Take("team_position_name"),
        "teamId": Reference("team"),
        "scheduledById": Reference("scheduled_by"),
    },
)

PLAN_PERSON_TIMES = Field(
    stream=services_scheduling.PLAN_PERSON_TIMES,
    on=services_scheduling.PLAN_PEOPLE,
    via="plan_person",
    values={"timeStatus": Take("status")},
)

ATTENDANCES = Field(
    stream=services_scheduling.ATTENDANCES,
    on=services_scheduling.PLAN_PEOPLE,
    via="plan_person",
    values={"checkedInAt": Take("checked_in_at")},
)

CONTRIBUTORS = Edge(
    stream=services_scheduling.CONTRIBUTORS,
    between=("plan", "person"),
    metadata={
        "action": Take("contributable_action"),
        "category": Take("contributable_category"),
        "contributedTo": Take("contributable_type"),
        **taken("created_at"),
    },
    name="plan_contributor",
)

NEEDED_POSITIONS = Edge(
    stream=services_scheduling.NEEDED_POSITIONS,
    between=("plan", "team"),
    metadata={
        "position": Take("team_position_name"),
        **taken("quantity", "scheduled_to"),
        "planTimeId": Reference("time"),
        "timePreferenceOptionId": Reference("time_preference_option"),
    },
)

SPLIT_TEAM_REHEARSAL_ASSIGNMENTS = Edge(
    stream=services_scheduling.SPLIT_TEAM_REHEARSAL_ASSIGNMENTS,
    between=("plan_time", "team"),
    metadata=taken("schedule_special_service_times"),
)

BLOCKOUTS = Entity(
    table="blockouts",
    tag="blockout",
    stream=services_scheduling.BLOCKOUTS,
    columns={
        **taken("reason", "description", "starts_at", "ends_at", "time_zone", "repeat_frequency", "repeat_interval"),
        **taken("repeat_period", "share"),
        "repeatUntil": Day("repeat_until"),
        "personId": Reference("person"),
    },
)

BLOCKOUT_DATES = Field(
    stream=services_scheduling.BLOCKOUT_DATES,
    on=services_scheduling.BLOCKOUTS,
    via="blockout",
    values={"dates_start_at": Take("starts_at_utc"), "dates_end_at": Take("ends_at_utc")},
)

BLOCKOUT_EXCEPTIONS = Field(
    stream=services_scheduling.BLOCKOUT_EXCEPTIONS,
    on=services_scheduling.BLOCKOUTS,
    via="blockout",
    values={"exceptions": Day("date")},
)

TEXT_SETTINGS = Field(
    stream=services_scheduling.TEXT_SETTINGS,
    on=people.PEOPLE,
    via="person",
    values={
        "text_number": Take("normalized_number"),
        **{
            f"text_{name}": Take(name)
            for name in ("scheduling_requests_enabled", "scheduling_replies_enabled", "reminders_enabled")
        },
    },
)
