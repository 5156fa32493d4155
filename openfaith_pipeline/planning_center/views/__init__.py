"""Views over Planning Center's raw tables for people who query: one module for each product.

Belongs here: the SELECT of each view with a comment for every column, and questions that they answer. Does not: making
and keeping the views, which is the database's.
"""

from openfaith_pipeline.planning_center.views import (
    check_ins,
    churches,
    giving,
    groups,
    membership_changes,
    people,
    registrations,
    services,
    stream_freshness,
)
from openfaith_pipeline.planning_center.views.questions import QUESTIONS

VIEWS = (
    churches.CHURCHES,
    people.PEOPLE_WITH_CONTACTS,
    people.HOUSEHOLDS,
    groups.GROUP_ROSTERS,
    groups.GROUP_ATTENDANCE,
    giving.GIVING_BY_FUND_MONTH,
    giving.GIVING_BY_PERSON_YEAR,
    check_ins.ATTENDANCE_BY_EVENT_WEEK,
    services.SERVING_SCHEDULE,
    registrations.REGISTRATIONS,
    membership_changes.MEMBERSHIP_CHANGES,
    stream_freshness.STREAM_FRESHNESS,
)
"""In the order in which they are made: each after those it reads."""

__all__ = ["QUESTIONS", "VIEWS"]
