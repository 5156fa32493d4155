"""The parameters that the lists of Check-Ins take, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.planning_center.abilities.ability import Abilities

TABLES: Final[Mapping[str, Abilities]] = {
    "organization": Abilities(),
    "themes": Abilities(),
    "labels": Abilities(),
    "events": Abilities(
        query="id name",
        order="created_at name",
        filter="archived for_headcounts for_registrations not_archived",
        include="attendance_types",
    ),
    "attendance_types": Abilities(query="id name", include="event"),
    "locations": Abilities(
        order="kind name position",
        filter="locations root",
        include="event locations options parent",
    ),
    "options": Abilities(include="label"),
    "stations": Abilities(include="event location print_station theme"),
    "integration_links": Abilities(query="remote_gid"),
    "people": Abilities(
        query="headcounter ignore_filters permission search_name",
        order="check_in_count first_name last_checked_in_at last_name",
        include="organization",
    ),
    "passes": Abilities(query="code", include="person"),
    "event_periods": Abilities(query="ends_at starts_at", order="starts_at", include="event event_times"),
    "event_times": Abilities(
        query="created_at updated_at",
        order="shows_at starts_at",
        include="event event_period headcounts",
    ),
    "headcounts": Abilities(
        query="created_at updated_at",
        order="created_at total updated_at",
        include="attendance_type event_time",
    ),
    "check_ins": Abilities(
        query="account_center_person_id created_at security_code updated_at",
        order="checked_out_at created_at first_name last_name number updated_at",
        filter=(
            "attendee checked_out first_time guest not_checked_out not_one_time_guest one_time_guest regular volunteer"
        ),
        include=(
            "check_in_times checked_in_at checked_in_by checked_out_by event event_period event_times locations "
            "options person"
        ),
    ),
    "check_in_times": Abilities(),
    "check_in_groups": Abilities(
        filter="canceled printed ready skipped",
        include="check_ins event_period print_station",
    ),
    "event_labels": Abilities(include="event label"),
    "location_event_periods": Abilities(include="event_period location"),
    "location_event_times": Abilities(query="created_at updated_at", include="event_time location"),
    "location_labels": Abilities(include="label location"),
    "person_events": Abilities(include="event first_check_in last_check_in person"),
}
