"""Answers counted from the source's own records, without SQL and without the views."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from openfaith_pipeline.simulator.client import SimulatorClient

Record = Mapping[str, Any]


class Truth:
    """One church as the source has it. `records`, `related` and `local` are all that the counting below needs."""

    def __init__(self, simulator: SimulatorClient, org_id: str) -> None:
        self._simulator = simulator
        self._org_id = org_id
        [organization] = self.records("people.organization")
        self._zone = ZoneInfo(organization["attributes"]["time_zone"])

    def records(self, stream: str) -> list[Record]:
        return self._simulator.truth(self._org_id, stream)

    def by_id(self, stream: str) -> dict[str, Record]:
        return {record["id"]: record for record in self.records(stream)}

    def local(self, moment: str) -> datetime:
        return datetime.fromisoformat(moment).astimezone(self._zone).replace(tzinfo=None)

    def names(self) -> dict[str, str]:
        """Full names of people by id."""
        return {record["id"]: record["attributes"]["name"] for record in self.records("people.people")}

    def giving_by_fund(self) -> dict[tuple[str, date], tuple[int, int, int]]:
        """(fund, first of the month) -> cents received, refunded, pending."""
        donations, funds = self.by_id("giving.donations"), self.by_id("giving.funds")
        refunded: dict[str, int] = defaultdict(int)
        for refund in self.records("giving.designation_refunds"):
            refunded[str(related(refund, "designation"))] += refund["attributes"]["amount_cents"]
        found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0])
        for part in self.records("giving.designations"):
            donation = donations[str(related(part, "donation"))]["attributes"]
            if donation["payment_status"] == "failed":
                continue
            month = self.local(donation["received_at"] or donation["created_at"]).date().replace(day=1)
            sums = found[funds[str(related(part, "fund"))]["attributes"]["name"], month]
            cents = part["attributes"]["amount_cents"]
            if donation["payment_status"] == "pending":
                sums[2] += cents
            else:
                sums[0] += cents
                sums[1] += refunded[part["id"]]
        return {key: (sums[0], sums[1], sums[2]) for key, sums in found.items()}

    def giving_by_person(self) -> dict[tuple[str | None, int], Decimal]:
        """(person, year) -> the sum of gifts less refunds."""
        refunded: dict[str, int] = defaultdict(int)
        for refund in self.records("giving.refunds"):
            refunded[str(related(refund, "donation"))] += refund["attributes"]["amount_cents"]
        found: dict[tuple[str | None, int], Decimal] = defaultdict(Decimal)
        for donation in self.records("giving.donations"):
            values = donation["attributes"]
            if values["payment_status"] == "failed":
                continue
            year = self.local(values["received_at"] or values["created_at"]).year
            is_kept = values["payment_status"] != "pending"
            cents = values["amount_cents"] - refunded[donation["id"]] if is_kept else 0
            found[related(donation, "person"), year] += Decimal(cents) / 100
        return dict(found)

    def last_received(self) -> dict[tuple[str | None, int], datetime]:
        """(person, year) -> the church's time of the last gift that is neither failed nor pending."""
        found: dict[tuple[str | None, int], datetime] = {}
        for donation in self.records("giving.donations"):
            values = donation["attributes"]
            if values["payment_status"] not in ("failed", "pending"):
                at = self.local(values["received_at"] or values["created_at"])
                key = related(donation, "person"), at.year
                found[key] = max(at, found.get(key, at))
        return found

    def attendance(self) -> dict[tuple[str, date], tuple[int, int]]:
        """(event, Monday) -> check-ins, headcount."""
        events, periods = self.by_id("check_ins.events"), self.by_id("check_ins.event_periods")
        times = self.by_id("check_ins.event_times")
        found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])

        def sums(event_id: str | None, moment: str) -> list[int]:
            day = self.local(moment).date()
            return found[events[str(event_id)]["attributes"]["name"], day - timedelta(days=day.weekday())]

        for check_in in self.records("check_ins.check_ins"):
            period = periods.get(str(related(check_in, "event_period")))
            event_id = related(check_in, "event") or (related(period, "event") if period else None)
            moment = period["attributes"]["starts_at"] if period else None
            sums(event_id, moment or check_in["attributes"]["created_at"])[0] += 1
        for headcount in self.records("check_ins.headcounts"):
            time = times[str(related(headcount, "event_time"))]
            moment = time["attributes"]["starts_at"] or headcount["attributes"]["created_at"]
            sums(related(time, "event"), moment)[1] += headcount["attributes"]["total"] or 0
        return {key: (counts[0], counts[1]) for key, counts in found.items()}

    def stopped_attending(self) -> set[tuple[str, date, int]]:
        """(person, day of the last meeting, meetings) of those who came twice and not in the last eight weeks."""
        meetings = self.by_id("groups.events")
        came: dict[str, list[datetime]] = defaultdict(list)
        for attendance in self.records("groups.attendances"):
            moment = meetings[str(related(attendance, "event"))]["attributes"]["starts_at"]
            if not moment or not attendance["attributes"]["attended"]:
                continue
            if datetime.fromisoformat(moment) < datetime.now(UTC):
                came[str(related(attendance, "person"))].append(datetime.fromisoformat(moment))
        newest = max(moment for moments in came.values() for moment in moments)
        names = self.names()
        return {
            (names[person], max(moments).astimezone(self._zone).date(), len(moments))
            for person, moments in came.items()
            if len(moments) >= 2 and max(moments) < newest - timedelta(weeks=8)
        }


def related(record: Record, name: str) -> str | None:
    """The id that a record names in one of its relationships."""
    return ((record["relationships"].get(name) or {}).get("data") or {}).get("id")


def named(records: Iterable[Record]) -> list[str]:
    """The records' names."""
    return [record["attributes"]["name"] for record in records]
