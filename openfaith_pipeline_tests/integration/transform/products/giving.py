"""The expected mapping of Giving's records."""

from typing import Any

from openfaith_pipeline_tests.integration.transform.products.rules import (
    Join,
    Oracle,
    Record,
    Row,
    directory,
    folder,
    joined,
)


def _donation(raw: Record) -> dict[str, Any]:
    return {
        **raw.all("amount_cents", "amount_currency", "fee_cents", "fee_currency", "payment_method", "payment_status"),
        **raw.all("received_at", "completed_at"),
        "refunded": raw["refunded"] or False,
        "batchId": raw.named("batch"),
    }


def _donation_fields(raw: Record) -> dict[str, Any]:
    refund = "giving.refunds"
    return {
        "payment_source": raw.of_named("giving.payment_sources", "payment_source", lambda row: row["name"]),
        "payment_source_type": raw.of_named(
            "giving.payment_sources", "payment_source", lambda row: row["payment_source_type"]
        ),
        "note": raw.of("giving.notes", "donation", lambda row: row["body"]),
        "labels": raw.of_listed("giving.labels", "labels", lambda row: row["slug"]),
        "refund_amount_cents": raw.of(refund, "donation", lambda row: row["amount_cents"]),
        "refund_amount_currency": raw.of(refund, "donation", lambda row: row["amount_currency"]),
        "refunded_at": raw.of(refund, "donation", lambda row: row["refunded_at"]),
    }


def _named(raw: Record, otherwise: str) -> str:
    return otherwise if raw["description"] is None else str(raw["description"])


def _fund(raw: Record) -> dict[str, Any]:
    named = raw.all("description", "ledger_code", "visibility", "color")
    return {"name": raw["name"] or "", "default": raw["default"] or False, **named}


def _recurring(raw: Record) -> dict[str, Any]:
    status = raw["status"]
    if (status or "").lower() != "active":
        raw.unheld.add("status")
    return {
        **raw.all("amount_cents", "amount_currency", "schedule", "next_occurrence", "last_donation_received_at"),
        **raw.all("release_hold_at"),
        "status": "active",
    }


def _campaign(raw: Record) -> dict[str, Any]:
    columns = raw.all("goal_cents", "goal_currency", "description", "starts_at", "ends_at")
    return {"name": raw["name"] or "", "fundId": raw.named("fund"), **columns}


def _pledge(raw: Record) -> dict[str, Any]:
    return {
        **raw.all("amount_cents", "amount_currency", "donated_total_cents", "joint_giver_amount_cents"),
        **raw.all("joint_giver_donated_total_cents"),
        "jointGiverId": raw.named("joint_giver"),
    }


def _refunded(raw: Record) -> dict[str, Any]:
    refund = "giving.designation_refunds"
    return {
        "refundedCents": raw.of(refund, "designation", lambda row: row["amount_cents"]),
        "refundedCurrency": raw.of(refund, "designation", lambda row: row["amount_currency"]),
    }


def _payment_methods(raw: Record) -> dict[str, Any]:
    methods = raw.of(
        "giving.payment_methods", "person", lambda row: joined(row["method_type"], row["brand"], row["last4"])
    )
    return {"giving_payment_methods": methods}


ORACLE = Oracle(
    rows={
        **directory(_payment_methods),
        "giving.funds": Row("funds", "fund", _fund),
        "giving.batch_groups": folder("pco_giving_batch_group", lambda raw: {"name": _named(raw, "Batch group")}),
        "giving.batches": folder(
            "pco_giving_batch",
            lambda raw: {"name": _named(raw, "Batch"), "parentFolderId": raw.named("batch_group")},
        ),
        "giving.donations": Row("donations", "donation", _donation, fields=_donation_fields),
        "giving.recurring_donations": Row("recurringDonations", "recurringDonation", _recurring),
        "giving.pledge_campaigns": Row("pledgeCampaigns", "pledgeCampaign", _campaign),
    },
    joins={
        "giving.designations": Join(
            "donation", "fund", "designation", lambda raw: raw.all("amount_cents", "amount_currency", "fee_cents"),
            _refunded,
        ),
        "giving.recurring_donation_designations": Join(
            "recurring_donation", "fund", "recurring_donation_designation",
            lambda raw: raw.all("amount_cents", "amount_currency"),
        ),
        "giving.pledges": Join("person", "pledge_campaign", "pledge", _pledge),
    },
    aliases={"giving.people": "people.people", "giving.campuses": "people.campuses"},
)  # fmt: skip
