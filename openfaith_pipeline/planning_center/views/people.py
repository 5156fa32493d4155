"""People and how to reach them; households."""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

# One email, phone number and address each: the primary one, else the one that was there first. When another becomes
# primary, Planning Center leaves the `updated_at` of the former, which may be primary here until its person is read.
_PEOPLE_WITH_CONTACTS: Final = """
SELECT person.org_id, person.id AS person_id, person.name, person.first_name, person.last_name, person.nickname,
    person.gender, person.birthdate, person.child AS is_child, marital_status.value AS marital_status,
    person.membership, person.status, campus.name AS campus,
    email.address AS email, coalesce(email.blocked, false) AS is_email_blocked,
    coalesce(phone.e164, phone.number) AS phone, phone.location AS phone_kind,
    nullif(concat_ws(', ', nullif(address.street_line_1, ''), nullif(address.street_line_2, '')), '') AS street,
    address.city, address.state, address.zip, address.country_code, home.households,
    person.created_at, person.created_at AT TIME ZONE church.time_zone AS created_at_local,
    person.updated_at, person.updated_at AT TIME ZONE church.time_zone AS updated_at_local
FROM pco_people.people AS person
JOIN {schema}.churches AS church ON church.org_id = person.org_id
LEFT JOIN pco_people.campuses AS campus
    ON campus.org_id = person.org_id AND campus.id = person.primary_campus_id AND campus._deleted_at IS NULL
LEFT JOIN pco_people.marital_statuses AS marital_status
    ON marital_status.org_id = person.org_id AND marital_status.id = person.marital_status_id
    AND marital_status._deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT address, blocked FROM pco_people.emails AS email
    WHERE email.org_id = person.org_id AND email.person_id = person.id AND email._deleted_at IS NULL
    ORDER BY email."primary" DESC NULLS LAST, CASE WHEN email."primary" THEN email.updated_at END DESC NULLS LAST,
        email.created_at, email.id LIMIT 1
) AS email ON true
LEFT JOIN LATERAL (
    SELECT e164, number, location FROM pco_people.phone_numbers AS phone
    WHERE phone.org_id = person.org_id AND phone.person_id = person.id AND phone._deleted_at IS NULL
    ORDER BY phone."primary" DESC NULLS LAST, CASE WHEN phone."primary" THEN phone.updated_at END DESC NULLS LAST,
        phone.created_at, phone.id LIMIT 1
) AS phone ON true
LEFT JOIN LATERAL (
    SELECT street_line_1, street_line_2, city, state, zip, country_code FROM pco_people.addresses AS address
    WHERE address.org_id = person.org_id AND address.person_id = person.id AND address._deleted_at IS NULL
    ORDER BY address."primary" DESC NULLS LAST, CASE WHEN address."primary" THEN address.updated_at END DESC NULLS LAST,
        address.created_at, address.id LIMIT 1
) AS address ON true
LEFT JOIN LATERAL (
    SELECT array_agg(household.name ORDER BY household.name) AS households
    FROM pco_people.household_memberships AS member
    JOIN pco_people.households AS household
        ON household.org_id = member.org_id AND household.id = member.household_id AND household._deleted_at IS NULL
    WHERE member.org_id = person.org_id AND member.person_id = person.id AND member._deleted_at IS NULL
        AND member.pending IS NOT TRUE
) AS home ON true
WHERE person._deleted_at IS NULL
"""

PEOPLE_WITH_CONTACTS: Final = View(
    name="people_with_contacts",
    comment="Everyone in Planning Center People, each in one row with one email, phone number and address.",
    sql=_PEOPLE_WITH_CONTACTS,
    columns={
        "org_id": ORG_ID,
        "person_id": "The person's id in Planning Center, the same in all products.",
        "name": personal("Full name."),
        "first_name": personal("First name."),
        "last_name": personal("Last name."),
        "nickname": personal("Nickname."),
        "gender": personal("Gender as Planning Center has it."),
        "birthdate": personal("Day of birth."),
        "is_child": personal("Whether marked as a child."),
        "marital_status": personal("Marital status."),
        "membership": personal("Kind of membership, as the church names it."),
        "status": personal("`active`, `inactive` or `pending`."),
        "campus": "Name of the primary campus.",
        "email": personal("Primary email address, else the oldest one."),
        "is_email_blocked": "Whether mail to that address is blocked.",
        "phone": personal("Primary phone number, else the oldest one; in international form where that is known."),
        "phone_kind": "Kind of that number: Mobile, Home, Work, ...",
        "street": personal("Street of the primary address, else of the oldest one."),
        "city": personal("City of that address."),
        "state": personal("State of that address."),
        "zip": personal("Postal code of that address."),
        "country_code": "Country of that address, two letters.",
        "households": personal("Names of the person's households; a membership that is still pending is not counted."),
        "created_at": "When the person was entered, UTC.",
        "created_at_local": "When the person was entered, in the church's zone.",
        "updated_at": "When the person last changed, UTC.",
        "updated_at_local": "When the person last changed, in the church's zone.",
    },
)

_HOUSEHOLDS: Final = """
SELECT household.org_id, household.id AS household_id, household.name AS household,
    contact.id AS primary_contact_id, coalesce(contact.name, household.primary_contact_name) AS primary_contact,
    coalesce(family.people, 0) AS people, coalesce(family.children, 0) AS children,
    family.members, family.member_ids,
    household.created_at, household.created_at AT TIME ZONE church.time_zone AS created_at_local
FROM pco_people.households AS household
JOIN {schema}.churches AS church ON church.org_id = household.org_id
LEFT JOIN pco_people.people AS contact
    ON contact.org_id = household.org_id AND contact.id = household.primary_contact_id AND contact._deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT count(*) AS people, count(*) FILTER (WHERE person.child) AS children,
        array_agg(coalesce(person.name, member.person_name) ORDER BY person.name, member.id) AS members,
        array_agg(member.person_id ORDER BY person.name, member.id) AS member_ids
    FROM pco_people.household_memberships AS member
    LEFT JOIN pco_people.people AS person
        ON person.org_id = member.org_id AND person.id = member.person_id AND person._deleted_at IS NULL
    WHERE member.org_id = household.org_id AND member.household_id = household.id AND member._deleted_at IS NULL
        AND member.pending IS NOT TRUE
) AS family ON true
WHERE household._deleted_at IS NULL
"""

HOUSEHOLDS: Final = View(
    name="households",
    comment="Households with their members; memberships that are still pending are not counted.",
    sql=_HOUSEHOLDS,
    columns={
        "org_id": ORG_ID,
        "household_id": "The household's id in Planning Center.",
        "household": personal("Its name."),
        "primary_contact_id": "The person to be contacted.",
        "primary_contact": personal("That person's name."),
        "people": "Number of members.",
        "children": "How many of them are marked as children.",
        "members": personal("Names of the members."),
        "member_ids": "Ids of the members, in the same order.",
        "created_at": "When the household was entered, UTC.",
        "created_at_local": "When the household was entered, in the church's zone.",
    },
)
