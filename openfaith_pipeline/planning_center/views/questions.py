"""Questions that the views answer: in docs/questions.md, at the end of the demo, and each in a test."""

from typing import Final

from openfaith_pipeline.catalog.view import Question

GIVING_BY_FUND: Final = Question(
    "Giving by fund, by month",
    """
SELECT fund, month_begins_on, donations, donors, net, currency
  FROM {schema}.giving_by_fund_month
 WHERE org_id = %(org_id)s AND donations > 0
 ORDER BY month_begins_on DESC, net DESC
 LIMIT 12;
""",
    "`amount` is before refunds and `net` after them. Failed payments are left out; pending ones are in `pending`.",
)

ATTENDANCE_BY_WEEK: Final = Question(
    "Attendance by week",
    """
SELECT week_begins_on, sum(attendance) AS attendance, sum(guests) AS guests, sum(volunteers) AS volunteers
  FROM {schema}.attendance_by_event_week
 WHERE org_id = %(org_id)s
 GROUP BY week_begins_on
 ORDER BY week_begins_on DESC
 LIMIT 8;
""",
    "Of all events; without the `sum`, by event.",
)

STOPPED_ATTENDING: Final = Question(
    "Who stopped attending groups?",
    """
SELECT person, max(starts_at_local)::date AS last_attended_on, count(*) AS meetings
  FROM {schema}.group_attendance
 WHERE org_id = %(org_id)s AND has_attended AND starts_at < now()
 GROUP BY person_id, person
HAVING count(*) >= 2
   AND max(starts_at) < (SELECT max(starts_at) - interval '8 weeks' FROM {schema}.group_attendance
                          WHERE org_id = %(org_id)s AND has_attended AND starts_at < now())
 ORDER BY last_attended_on DESC, person
 LIMIT 10;
""",
    "Those who came twice or more, but not within eight weeks before the last meeting of any group.",
)

NEW_ON_LIST: Final = Question(
    "Who is on the membership list and was not a year ago?",
    """
SELECT group_or_list AS list, person, min(changed_at_local)::date AS joined_on
  FROM {schema}.membership_changes
 WHERE org_id = %(org_id)s AND kind = 'list' AND group_or_list ILIKE '%%member%%'
   AND changed_at > now() - interval '1 year'
 GROUP BY group_or_list_id, group_or_list, person_id, person
HAVING (array_agg(change ORDER BY changed_at))[1] = 'joined'
   AND (array_agg(change ORDER BY changed_at DESC))[1] = 'joined'
   AND NOT bool_or(is_first_sync)
 ORDER BY list, joined_on DESC, person;
""",
    "Whose first and last change within the year is that they joined. Known from when the church was first synced on;"
    " those who were there then are not listed, because nobody knows since when. Write `kind ="
    " 'group'` for a group. `sync.as_of` gives whole tables as they were ([history](history.md)).",
)

FAMILIES: Final = Question(
    "Households with children, and how to reach them",
    """
SELECT household, children, primary_contact, email, phone
  FROM {schema}.households AS household
  LEFT JOIN {schema}.people_with_contacts AS person
    ON person.org_id = household.org_id AND person.person_id = household.primary_contact_id
 WHERE household.org_id = %(org_id)s AND children > 0
 ORDER BY household, household_id
 LIMIT 10;
""",
)

SMALL_GROUPS: Final = Question(
    "How large is each group, and who leads it?",
    """
SELECT "group", group_type, is_archived, count(*) AS members,
       string_agg(person, ', ' ORDER BY person) FILTER (WHERE role = 'leader') AS leaders
  FROM {schema}.group_rosters
 WHERE org_id = %(org_id)s
 GROUP BY group_id, "group", group_type, is_archived
 ORDER BY is_archived, members DESC, "group";
""",
    "Archived groups come last. `group` is a word of SQL, so that the column is written in double quotes.",
)

LAPSED_DONORS: Final = Question(
    "Who gave in one year and not in the next?",
    """
SELECT person, year, net, currency
  FROM {schema}.giving_by_person_year AS given
 WHERE org_id = %(org_id)s AND person_id IS NOT NULL AND year = date_part('year', now()) - 1 AND net > 0
   AND NOT EXISTS (SELECT FROM {schema}.giving_by_person_year AS later
                    WHERE later.org_id = given.org_id AND later.person_id = given.person_id
                      AND later.year = given.year + 1)
 ORDER BY net DESC, person;
""",
    "Last year, and not yet in this one. Write the year that you want in place of `date_part(...) - 1`.",
)

WHO_SERVES: Final = Question(
    "Who served most, and how often was declined?",
    """
SELECT person, count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
       count(*) FILTER (WHERE status = 'declined') AS declined
  FROM {schema}.serving_schedule
 WHERE org_id = %(org_id)s
 GROUP BY person_id, person
 ORDER BY confirmed DESC, declined, person
 LIMIT 10;
""",
)

SIGNED_UP: Final = Question(
    "How many are signed up for what?",
    """
SELECT signup, count(*) FILTER (WHERE is_active) AS places, count(*) FILTER (WHERE is_waitlisted) AS waiting,
       count(*) FILTER (WHERE is_canceled) AS canceled
  FROM {schema}.registrations
 WHERE org_id = %(org_id)s
 GROUP BY signup_id, signup
 ORDER BY places DESC, signup;
""",
)

QUESTIONS: Final = (
    STOPPED_ATTENDING,
    GIVING_BY_FUND,
    ATTENDANCE_BY_WEEK,
    NEW_ON_LIST,
    FAMILIES,
    SMALL_GROUPS,
    LAPSED_DONORS,
    WHO_SERVES,
    SIGNED_UP,
)
