"""Giving by fund and month, and by person and year.

Failed payments are left out and pending ones counted apart. A refund is subtracted from the month of the donation, not
of the refund, so that a month's total says how much of its giving was kept.
"""

from typing import Final

from openfaith_pipeline.catalog.view import View
from openfaith_pipeline.catalog.words import financial, personal
from openfaith_pipeline.planning_center.views.churches import ORG_ID

_GIVING_BY_FUND_MONTH: Final = """
SELECT gift.org_id, gift.fund_id, fund.name AS fund, gift.month_begins_on, gift.currency,
    gift.donations, gift.donors,
    gift.amount_cents, round(gift.amount_cents / 100.0, 2) AS amount,
    gift.refunded_cents, round(gift.refunded_cents / 100.0, 2) AS refunded,
    gift.amount_cents - gift.refunded_cents AS net_cents,
    round((gift.amount_cents - gift.refunded_cents) / 100.0, 2) AS net,
    gift.pending_cents, round(gift.pending_cents / 100.0, 2) AS pending
FROM (
    SELECT part.org_id, part.fund_id,
        date_trunc('month', coalesce(donation.received_at, donation.created_at) AT TIME ZONE church.time_zone)::date
            AS month_begins_on,
        coalesce(part.amount_currency, donation.amount_currency) AS currency,
        count(DISTINCT donation.id) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending') AS donations,
        count(DISTINCT donation.person_id) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending') AS donors,
        coalesce(sum(part.amount_cents) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending'), 0)
            AS amount_cents,
        coalesce(sum(returned.cents) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending'), 0)
            AS refunded_cents,
        coalesce(sum(part.amount_cents) FILTER (WHERE donation.payment_status = 'pending'), 0) AS pending_cents
    FROM pco_giving.designations AS part
    JOIN pco_giving.donations AS donation
        ON donation.org_id = part.org_id AND donation.id = part.donation_id AND donation._deleted_at IS NULL
    JOIN {schema}.churches AS church ON church.org_id = part.org_id
    LEFT JOIN (
        SELECT org_id, designation_id, sum(amount_cents) AS cents
        FROM pco_giving.designation_refunds
        WHERE _deleted_at IS NULL
        GROUP BY org_id, designation_id
    ) AS returned ON returned.org_id = part.org_id AND returned.designation_id = part.id
    WHERE part._deleted_at IS NULL AND donation.payment_status IS DISTINCT FROM 'failed'
    GROUP BY 1, 2, 3, 4
) AS gift
LEFT JOIN pco_giving.funds AS fund
    ON fund.org_id = gift.org_id AND fund.id = gift.fund_id AND fund._deleted_at IS NULL
"""

_MONEY: Final = {
    "amount_cents": financial("Sum in cents, without pending and failed payments, before refunds."),
    "amount": financial("The same as a number."),
    "refunded_cents": financial("How many cents of it were refunded, then or later."),
    "refunded": financial("The same as a number."),
    "net_cents": financial("The sum less refunds, in cents."),
    "net": financial("The same as a number."),
    "pending_cents": financial("Cents of payments that are still pending, not in the sum."),
    "pending": financial("The same as a number."),
}

GIVING_BY_FUND_MONTH: Final = View(
    name="giving_by_fund_month",
    comment="Giving by fund, month and currency, counted in the month in which a donation was received.",
    sql=_GIVING_BY_FUND_MONTH,
    columns={
        "org_id": ORG_ID,
        "fund_id": "The fund's id in Planning Center.",
        "fund": "Its name.",
        "month_begins_on": "First day of the month, in the church's zone.",
        "currency": "Currency of all amounts in the row.",
        "donations": "Number of donations with a part for the fund; pending and failed ones are not counted.",
        "donors": "Number of people who gave them.",
        **_MONEY,
    },
)

_GIVING_BY_PERSON_YEAR: Final = """
SELECT gift.org_id, gift.person_id,
    coalesce(person.name, nullif(concat_ws(' ', donor.first_name, donor.last_name), '')) AS person,
    gift.year, gift.currency, gift.donations,
    gift.amount_cents, round(gift.amount_cents / 100.0, 2) AS amount,
    gift.refunded_cents, round(gift.refunded_cents / 100.0, 2) AS refunded,
    gift.amount_cents - gift.refunded_cents AS net_cents,
    round((gift.amount_cents - gift.refunded_cents) / 100.0, 2) AS net,
    gift.pending_cents, round(gift.pending_cents / 100.0, 2) AS pending,
    gift.last_received_at, gift.last_received_at AT TIME ZONE gift.time_zone AS last_received_at_local
FROM (
    SELECT donation.org_id, donation.person_id, church.time_zone,
        extract(year FROM coalesce(donation.received_at, donation.created_at) AT TIME ZONE church.time_zone)::integer
            AS year,
        donation.amount_currency AS currency,
        count(*) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending') AS donations,
        coalesce(sum(donation.amount_cents) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending'), 0)
            AS amount_cents,
        coalesce(sum(returned.cents) FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending'), 0)
            AS refunded_cents,
        coalesce(sum(donation.amount_cents) FILTER (WHERE donation.payment_status = 'pending'), 0) AS pending_cents,
        max(coalesce(donation.received_at, donation.created_at))
            FILTER (WHERE donation.payment_status IS DISTINCT FROM 'pending') AS last_received_at
    FROM pco_giving.donations AS donation
    JOIN {schema}.churches AS church ON church.org_id = donation.org_id
    LEFT JOIN (
        SELECT org_id, donation_id, sum(amount_cents) AS cents
        FROM pco_giving.refunds
        WHERE _deleted_at IS NULL
        GROUP BY org_id, donation_id
    ) AS returned ON returned.org_id = donation.org_id AND returned.donation_id = donation.id
    WHERE donation._deleted_at IS NULL AND donation.payment_status IS DISTINCT FROM 'failed'
    GROUP BY 1, 2, 3, 4, 5
) AS gift
LEFT JOIN pco_people.people AS person
    ON person.org_id = gift.org_id AND person.id = gift.person_id AND person._deleted_at IS NULL
LEFT JOIN pco_giving.people AS donor
    ON donor.org_id = gift.org_id AND donor.id = gift.person_id AND donor._deleted_at IS NULL
"""

GIVING_BY_PERSON_YEAR: Final = View(
    name="giving_by_person_year",
    comment="Giving by person, year and currency; anonymous giving is the rows without a person.",
    sql=_GIVING_BY_PERSON_YEAR,
    columns={
        "org_id": ORG_ID,
        "person_id": "The donor; null for anonymous giving.",
        "person": personal("The donor's name."),
        "year": "The year in which the donations were received, in the church's zone.",
        "currency": "Currency of all amounts in the row.",
        "donations": "Number of donations; pending and failed ones are not counted.",
        **_MONEY,
        "last_received_at": "When the last of these donations was received, UTC; null if all are pending.",
        "last_received_at_local": "When the last of them was received, in the church's zone.",
    },
)
