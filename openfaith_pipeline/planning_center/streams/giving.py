"""Planning Center Giving: funds, donations and their designations, pledges and batches.

The populations are assumptions, not measurements: one in four is a donor, with a dozen gifts each.
"""

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

ORGANIZATION = Stream(
    product=Product.GIVING,
    type="Organization",
    path="/giving/v2",
    table="organization",
    is_singleton=True,
    attributes={"name": TEXT, "time_zone": TEXT, "text2give_enabled": BOOLEAN},
    population=Population(1),
)

CAMPUSES = Stream(
    product=Product.GIVING,
    type="Campus",
    path="/giving/v2/campuses",
    attributes={"name": TEXT, "address": JSON},
    population=Population(2),
)

LABELS = Stream(
    product=Product.GIVING,
    type="Label",
    path="/giving/v2/labels",
    attributes={"slug": TEXT},
    aliases=("Labels",),
    population=Population(5),
)

PEOPLE = Stream(
    product=Product.GIVING,
    type="Person",
    path="/giving/v2/people",
    attributes={
        "permissions": TEXT,
        "email_addresses": JSON,
        "addresses": JSON,
        "phone_numbers": JSON,
        "first_name": TEXT,
        "last_name": TEXT,
        "donor_number": INTEGER,
        "first_donated_at": TIMESTAMP,
    },
    belongs_to={"primary_campus": "giving.campuses"},
    population=Population(0.25, per="church"),
)

FUNDS = Stream(
    product=Product.GIVING,
    type="Fund",
    path="/giving/v2/funds",
    attributes={
        "name": TEXT,
        "slug": TEXT,
        "ledger_code": TEXT,
        "description": TEXT,
        "visibility": TEXT,
        "default": BOOLEAN,
        "color": TEXT,
        "color_identifier": INTEGER,
        "deletable": BOOLEAN,
        **TIMESTAMPS,
    },
    population=Population(5),
)

PAYMENT_SOURCES = Stream(
    product=Product.GIVING,
    type="PaymentSource",
    path="/giving/v2/payment_sources",
    attributes={"name": TEXT, "payment_source_type": TEXT, "status": TEXT, **TIMESTAMPS},
    population=Population(3),
)

PLEDGE_CAMPAIGNS = Stream(
    product=Product.GIVING,
    type="PledgeCampaign",
    path="/giving/v2/pledge_campaigns",
    attributes={
        "name": TEXT,
        "description": TEXT,
        "starts_at": TIMESTAMP,
        "ends_at": TIMESTAMP,
        "goal_cents": INTEGER,
        "goal_currency": TEXT,
        "show_goal_in_church_center": BOOLEAN,
        "received_total_from_pledges_cents": INTEGER,
        "received_total_outside_of_pledges_cents": INTEGER,
        **TIMESTAMPS,
    },
    belongs_to={"fund": "giving.funds"},
    population=Population(2),
)

PLEDGES = Stream(
    product=Product.GIVING,
    type="Pledge",
    path="/giving/v2/pledges",
    cursor="updated_at",
    attributes={
        "amount_cents": INTEGER,
        "amount_currency": TEXT,
        "joint_giver_amount_cents": INTEGER,
        "donated_total_cents": INTEGER,
        "joint_giver_donated_total_cents": INTEGER,
        **TIMESTAMPS,
    },
    belongs_to={
        "person": "giving.people",
        "pledge_campaign": "giving.pledge_campaigns",
        "joint_giver": "giving.people",
    },
    asks_for=("joint_giver",),
    population=Population(0.05, per="church"),
)

BATCH_GROUPS = Stream(
    product=Product.GIVING,
    type="BatchGroup",
    path="/giving/v2/batch_groups",
    cursor="updated_at",
    attributes={
        "description": TEXT,
        "committed": BOOLEAN,
        "total_cents": INTEGER,
        "total_currency": TEXT,
        "status": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"owner": "giving.people"},
    asks_for=("owner",),
    population=Population(6),
)

BATCHES = Stream(
    product=Product.GIVING,
    type="Batch",
    path="/giving/v2/batches",
    cursor="updated_at",
    attributes={
        "committed_at": TIMESTAMP,
        "description": TEXT,
        "total_cents": INTEGER,
        "total_currency": TEXT,
        "status": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"batch_group": "giving.batch_groups", "owner": "giving.people"},
    asks_for=("owner",),
    population=Population(30),
)

RECURRING_DONATIONS = Stream(
    product=Product.GIVING,
    type="RecurringDonation",
    path="/giving/v2/recurring_donations",
    attributes={
        "release_hold_at": TIMESTAMP,
        "amount_cents": INTEGER,
        "status": TEXT,
        "last_donation_received_at": TIMESTAMP,
        "next_occurrence": TIMESTAMP,
        "schedule": JSON,
        "amount_currency": TEXT,
        **TIMESTAMPS,
    },
    belongs_to={"person": "giving.people"},
    population=Population(0.15, per="giving.people"),
)

RECURRING_DONATION_DESIGNATIONS = Stream(
    product=Product.GIVING,
    type="RecurringDonationDesignation",
    path="/giving/v2/recurring_donations/{recurring_donation_id}/designations",
    table="recurring_donation_designations",
    carried_as="designations",
    attributes={"amount_cents": INTEGER, "amount_currency": TEXT},
    belongs_to={"recurring_donation": "giving.recurring_donations", "fund": "giving.funds"},
    unshown=("recurring_donation",),
    asks_for=("fund",),
    population=Population(1.1, per="giving.recurring_donations"),
)

DONATIONS = Stream(
    product=Product.GIVING,
    type="Donation",
    path="/giving/v2/donations",
    cursor="updated_at",
    attributes={
        "payment_method_sub": TEXT,
        "payment_last4": TEXT,
        "payment_brand": TEXT,
        "payment_check_number": INTEGER,
        "payment_check_dated_at": DATE,
        "fee_cents": INTEGER,
        "payment_method": TEXT,
        "received_at": TIMESTAMP,
        "amount_cents": INTEGER,
        "payment_status": TEXT,
        "completed_at": TIMESTAMP,
        "fee_covered": BOOLEAN,
        "amount_currency": TEXT,
        "fee_currency": TEXT,
        "refunded": BOOLEAN,
        "refundable": BOOLEAN,
        "memo": JSON,
        "payment_channel": JSON,
        "payment_identifier": JSON,
        **TIMESTAMPS,
    },
    belongs_to={
        "batch": "giving.batches",
        "campus": "giving.campuses",
        "person": "giving.people",
        "payment_source": "giving.payment_sources",
        "recurring_donation": "giving.recurring_donations",
    },
    has_many={"labels": "giving.labels"},
    population=Population(12, per="giving.people"),
)

DESIGNATIONS = Stream(
    product=Product.GIVING,
    type="Designation",
    path="/giving/v2/donations/{donation_id}/designations",
    carried_as="designations",
    attributes={"amount_cents": INTEGER, "amount_currency": TEXT, "fee_cents": INTEGER},
    belongs_to={"donation": "giving.donations", "fund": "giving.funds"},
    unshown=("donation",),
    population=Population(1.1, per="giving.donations"),
)

REFUNDS = Stream(
    product=Product.GIVING,
    type="Refund",
    path="/giving/v2/donations/{donation_id}/refund",
    table="refunds",
    carried_as="refund",
    is_singleton=True,
    attributes={
        "amount_cents": INTEGER,
        "amount_currency": TEXT,
        "fee_cents": INTEGER,
        "refunded_at": TIMESTAMP,
        "fee_currency": TEXT,
        "gateway_identifier": JSON,
        **TIMESTAMPS,
    },
    belongs_to={"donation": "giving.donations"},
    unshown=("donation",),
    population=Population(0.01, per="giving.donations"),
)

NOTES = Stream(
    product=Product.GIVING,
    type="Note",
    path="/giving/v2/donations/{donation_id}/note",
    table="notes",
    carried_as="note",
    is_singleton=True,
    attributes={"body": TEXT},
    belongs_to={"donation": "giving.donations"},
    unshown=("donation",),
    population=Population(0.02, per="giving.donations"),
)

DESIGNATION_REFUNDS = Stream(
    product=Product.GIVING,
    type="DesignationRefund",
    # Two levels of include bring them with the donations, which saves a request for each.
    path="/giving/v2/donations/{donation_id}/refund/{refund_id}/designation_refunds",
    carried_as="designation_refunds",
    attributes={"amount_cents": INTEGER, "amount_currency": TEXT, "fee_cents": INTEGER},
    belongs_to={"refund": "giving.refunds", "designation": "giving.designations", "fund": "giving.funds"},
    unshown=("refund",),
    walked_under={"donation": "giving.donations"},
    population=Population(1, per="giving.refunds"),
)

IN_KIND_DONATIONS = Stream(
    product=Product.GIVING,
    type="InKindDonation",
    path="/giving/v2/in_kind_donations",
    cursor="updated_at",
    attributes={
        "description": TEXT,
        "exchange_details": TEXT,
        "fair_market_value_cents": INTEGER,
        "received_on": DATE,
        "valuation_details": TEXT,
        "acknowledgment_last_sent_at": TIMESTAMP,
        "fair_market_value_currency": TEXT,
        "internal_notes": JSON,
        **TIMESTAMPS,
    },
    belongs_to={"fund": "giving.funds", "person": "giving.people", "campus": "giving.campuses"},
    population=Population(0.01, per="church"),
)

PAYMENT_METHODS = Stream(
    product=Product.GIVING,
    type="PaymentMethod",
    path="/giving/v2/people/{person_id}/payment_methods",
    attributes={
        "method_type": TEXT,
        "method_subtype": TEXT,
        "last4": TEXT,
        "brand": TEXT,
        "expiration": TEXT,
        "verified": BOOLEAN,
        **TIMESTAMPS,
    },
    belongs_to={"person": "giving.people"},
    unshown=("person",),
    population=Population(0.8, per="giving.people"),
)
