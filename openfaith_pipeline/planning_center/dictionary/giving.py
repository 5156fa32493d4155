"""Descriptions of the types of Giving and their attributes, by table."""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Entries, financial

TABLES: Final[Mapping[str, str]] = {
    "organization": "The church itself, as it is set up in Giving",
    "campuses": "The church's sites, as Giving knows them",
    "labels": "Labels that donations can have",
    "people": "Donors, and people with access to Giving",
    "funds": "Purposes that donations are given for",
    "payment_sources": "Where donations come from, such as a donor-advised fund",
    "pledge_campaigns": "Campaigns that people pledge for",
    "pledges": "Promises of people to give an amount to a campaign",
    "batch_groups": "Groups of batches",
    "batches": "Batches: donations entered together, such as one Sunday's",
    "recurring_donations": "Donations that are given again and again",
    "recurring_donation_designations": "Shares of a recurring donation, by fund",
    "donations": "Donations",
    "designations": "Shares of a donation, by fund",
    "refunds": "Donations that were given back",
    "notes": "Notes on donations",
    "designation_refunds": "Shares of a refund, by fund",
    "in_kind_donations": "Donations that are not money",
    "payment_methods": "Cards and bank accounts that donors saved",
}

ATTRIBUTES: Final[Mapping[str, Entries]] = {
    "organization": {
        "text2give_enabled": "Whether donations by text message are switched on",
    },
    "campuses": {
        "address": "Postal address of the campus",
    },
    "people": {
        "permissions": "Level of access: administrator, reviewer, counter or bookkeeper",
        "donor_number": financial("Number of the donor within the church"),
        "first_donated_at": financial("When the person first gave"),
    },
    "funds": {
        "ledger_code": "Account in the church's bookkeeping",
        "visibility": "Where donors can choose it: everywhere, admin_only, nowhere or hidden",
        "default": "Whether it is chosen unless a donor names another",
        "color_identifier": "Number of the color in the palette",
        "deletable": "Whether it may be deleted",
    },
    "payment_sources": {
        "payment_source_type": "direct_from_donor, donor_advised_fund or qualified_charitable_distribution",
    },
    "pledge_campaigns": {
        "goal_cents": financial("Amount that the campaign is to reach, in cents"),
        "goal_currency": "Currency of the goal, as an ISO 4217 code",
        "show_goal_in_church_center": "Whether donors see the goal",
        "received_total_from_pledges_cents": financial("Given so far by people who pledged, in cents"),
        "received_total_outside_of_pledges_cents": financial("Given so far by others, in cents"),
    },
    "pledges": {
        "amount_cents": financial("Amount that was promised, in cents"),
        "joint_giver_amount_cents": financial("Share of the joint giver, in cents"),
        "donated_total_cents": financial("Given so far by the person, in cents"),
        "joint_giver_donated_total_cents": financial("Given so far by the joint giver, in cents"),
    },
    "batch_groups": {
        "committed": "Whether its donations are final",
        "total_cents": financial("Sum of its donations, in cents"),
        "total_currency": "Currency of the sum, as an ISO 4217 code",
        "status": "State, such as in_progress or committed",
    },
    "batches": {
        "committed_at": "When its donations became final; null while they may change",
        "total_cents": financial("Sum of its donations, in cents"),
        "total_currency": "Currency of the sum, as an ISO 4217 code",
        "status": "State, such as in_progress or committed",
    },
    "recurring_donations": {
        "release_hold_at": financial("When a paused donation goes on"),
        "status": financial("active, indefinite_hold or temporary_hold"),
        "last_donation_received_at": financial("When it was last given"),
        "next_occurrence": financial("When it is given next"),
        "schedule": financial("How often it is given"),
    },
    "donations": {
        "payment_method_sub": financial("Kind of card: credit, debit, prepaid or unknown"),
        "payment_last4": financial("Last four digits of the card or account"),
        "payment_brand": financial("Brand of the card or name of the bank"),
        "payment_check_number": financial("Number of the check"),
        "payment_check_dated_at": financial("Date on the check"),
        "payment_method": financial("How it was given: ach, cash, check or card"),
        "received_at": "When it was received, as entered; the date that reports go by",
        "payment_status": financial("State of the payment: pending, succeeded or failed"),
        "completed_at": "When the payment was completed",
        "fee_covered": financial("Whether the donor added the fee to the donation"),
        "refunded": "Whether it was given back",
        "refundable": "Whether it can be given back",
        "memo": financial("Remark on the donation"),
        "payment_channel": financial("Way by which the payment came, such as the web or a kiosk"),
        "payment_identifier": financial("Id of the payment at the processor"),
    },
    "refunds": {
        "refunded_at": "When it was given back",
        "gateway_identifier": financial("Id of the refund at the processor"),
    },
    "notes": {
        "body": financial("Text of the note"),
    },
    "in_kind_donations": {
        "description": financial("Description of the gift"),
        "exchange_details": financial("Goods or services that the donor received in return"),
        "fair_market_value_cents": financial("Value as estimated, in cents"),
        "received_on": "Day on which it was received",
        "valuation_details": financial("How the value was estimated"),
        "acknowledgment_last_sent_at": "When the donor was last sent a receipt",
        "fair_market_value_currency": "Currency of the value, as an ISO 4217 code",
        "internal_notes": financial("Remarks of the church"),
    },
    "payment_methods": {
        "method_type": financial("card, us_bank_account or au_becs_debit"),
        "method_subtype": financial("Kind of card or account"),
        "last4": financial("Last four digits of the card or account"),
        "brand": financial("Brand of the card or name of the bank"),
        "expiration": financial("Month in which the card expires"),
        "verified": financial("Whether the account was proved to be the donor's"),
    },
}
