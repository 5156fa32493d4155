"""Giving: funds, donations and their parts by fund, pledges and batches.

Amounts are whole cents, each with its currency. Its people and campuses are those of People.
"""

from openfaith_pipeline.canonical.model import Alias, Edge, Entity, Field, Folder
from openfaith_pipeline.canonical.rules import Choice, Joined, Money, Reference, Take, taken
from openfaith_pipeline.planning_center.streams import giving, people

PEOPLE = Alias(stream=giving.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=giving.CAMPUSES, of=people.CAMPUSES)

FUNDS = Entity(
    table="funds",
    tag="fund",
    stream=giving.FUNDS,
    columns={
        "name": Take("name", default=""),
        "default": Take("default", default=False),
        **taken("description", "ledger_code", "visibility", "color"),
    },
)

BATCH_GROUPS = Folder(
    stream=giving.BATCH_GROUPS,
    type="pco_giving_batch_group",
    # A batch group has no name but its description, which may be left out; a folder without a name cannot be opened.
    name=Take("description", default="Batch group"),
)

BATCHES = Folder(
    stream=giving.BATCHES, type="pco_giving_batch", name=Take("description", default="Batch"), parent="batch_group"
)

DONATIONS = Entity(
    table="donations",
    tag="donation",
    stream=giving.DONATIONS,
    columns={
        "amountCents": Money("amount_cents"),
        "feeCents": Money("fee_cents"),
        **taken("amount_currency", "fee_currency", "payment_method", "payment_status", "received_at", "completed_at"),
        "refunded": Take("refunded", default=False),
        "batchId": Reference("batch"),
    },
)

DESIGNATIONS = Edge(
    stream=giving.DESIGNATIONS,
    between=("donation", "fund"),
    metadata={
        "amountCents": Money("amount_cents"),
        "amountCurrency": Take("amount_currency"),
        "feeCents": Money("fee_cents"),
    },
)

PAYMENT_SOURCES = Field(
    stream=giving.PAYMENT_SOURCES,
    on=giving.DONATIONS,
    via="payment_source",
    values={"payment_source": Take("name"), "payment_source_type": Take("payment_source_type")},
)

NOTES = Field(stream=giving.NOTES, on=giving.DONATIONS, via="donation", values={"note": Take("body")})

LABELS = Field(stream=giving.LABELS, on=giving.DONATIONS, via="labels", values={"labels": Take("slug")})

REFUNDS = Field(
    stream=giving.REFUNDS,
    on=giving.DONATIONS,
    via="donation",
    values={
        "refund_amount_cents": Money("amount_cents"),
        "refund_amount_currency": Take("amount_currency"),
        "refunded_at": Take("refunded_at"),
    },
)

DESIGNATION_REFUNDS = Field(
    stream=giving.DESIGNATION_REFUNDS,
    on=giving.DESIGNATIONS,
    via="designation",
    values={"refundedCents": Money("amount_cents"), "refundedCurrency": Take("amount_currency")},
)

PAYMENT_METHODS = Field(
    stream=giving.PAYMENT_METHODS,
    on=people.PEOPLE,
    via="person",
    values={"giving_payment_methods": Joined("method_type", "brand", "last4")},
)

RECURRING_DONATIONS = Entity(
    table="recurringDonations",
    tag="recurringDonation",
    stream=giving.RECURRING_DONATIONS,
    columns={
        "amountCents": Money("amount_cents"),
        **taken("amount_currency", "schedule", "next_occurrence", "last_donation_received_at", "release_hold_at"),
        # A donation on hold is still active; its status is kept as a custom field.
        "status": Choice("status", {"active": "active"}, default="active"),
    },
)

RECURRING_DONATION_DESIGNATIONS = Edge(
    stream=giving.RECURRING_DONATION_DESIGNATIONS,
    between=("recurring_donation", "fund"),
    metadata={"amountCents": Money("amount_cents"), "amountCurrency": Take("amount_currency")},
)

PLEDGE_CAMPAIGNS = Entity(
    table="pledgeCampaigns",
    tag="pledgeCampaign",
    stream=giving.PLEDGE_CAMPAIGNS,
    columns={
        "name": Take("name", default=""),
        "goalCents": Money("goal_cents"),
        **taken("goal_currency", "description", "starts_at", "ends_at"),
        "fundId": Reference("fund"),
    },
)

PLEDGES = Edge(
    stream=giving.PLEDGES,
    between=("person", "pledge_campaign"),
    metadata={
        "amountCents": Money("amount_cents"),
        "amountCurrency": Take("amount_currency"),
        "donatedTotalCents": Money("donated_total_cents"),
        "jointGiverId": Reference("joint_giver"),
        "jointGiverAmountCents": Money("joint_giver_amount_cents"),
        "jointGiverDonatedTotalCents": Money("joint_giver_donated_total_cents"),
    },
)
