"""A church whose records go up to a day has growth, seasons and Sundays, and is the same for the same day."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from openfaith_pipeline.cli.simulator import churches_of
from openfaith_pipeline.simulator import SimulatorOptions, rhythm
from openfaith_pipeline.simulator.api import PlanningCenter
from openfaith_pipeline.simulator.church import Church, open_church
from openfaith_pipeline.simulator.newcomers import LISTED, LISTS
from openfaith_pipeline.simulator.options import ChurchSpec
from openfaith_pipeline.simulator.shapes import shapes_of
from openfaith_pipeline.simulator.values import stamp
from openfaith_pipeline.sources import STREAMS

DAY = datetime(2026, 11, 28, tzinfo=UTC)
UNTIL = int(DAY.timestamp())
SHAPES = shapes_of(STREAMS)


def church(until: int | None, people: int = 100) -> Church:
    [spec] = churches_of((people,), 7, until=until)
    return open_church(spec, "http://simulated", SHAPES)


LIVING = church(UNTIL)


def times_of(stream: str, attribute: str, of: Church = LIVING) -> list[datetime]:
    values = (record.attributes[attribute] for record in of.table(stream).records())
    return [datetime.fromisoformat(value) for value in values if value]


def test_the_same_day_gives_the_same_bytes_and_another_day_others() -> None:
    fragments = church(UNTIL, 20).table("people.people").fragments
    assert church(UNTIL, 20).table("people.people").fragments == fragments
    assert church(UNTIL - 86_400, 20).table("people.people").fragments != fragments


def test_a_spec_with_its_day_can_be_passed_to_another_process() -> None:
    spec = LIVING.spec
    assert ChurchSpec.read(spec.written()) == spec
    assert spec.until == UNTIL


def test_nothing_is_later_than_that_day_and_no_change_before_its_record() -> None:
    small = church(UNTIL, 20)
    times = {
        (name, record.id): [record.attributes.get(each) for each in ("created_at", "updated_at")]
        for name, stream in STREAMS.items()
        if stream.cursor
        for record in small.table(name).records()
    }
    whole = {key: each for key, each in times.items() if all(each)}
    assert whole
    assert [key for key, (created, updated) in whole.items() if not created <= updated <= stamp(UNTIL)] == []


def test_services_are_on_sundays_up_to_the_last_week() -> None:
    held = times_of("check_ins.event_periods", "starts_at")
    assert {time.strftime("%a %H:%M") for time in held} == {"Sun 15:00"}
    assert DAY - timedelta(days=7) <= max(held) < DAY
    weeks = sorted(set(held))
    assert [after - before for before, after in pairwise(weeks[-8:])] == [timedelta(days=7)] * 7


def test_groups_meet_on_evenings_of_the_week() -> None:
    days = {time.strftime("%a") for time in times_of("groups.events", "starts_at")}
    assert days <= {"Tue", "Wed", "Thu", "Fri"}  # in UTC: the evening before, in America
    assert max(times_of("groups.events", "starts_at")) > DAY - timedelta(days=14)


def test_giving_grows_swings_with_the_seasons_and_is_mostly_on_sundays() -> None:
    received = times_of("giving.donations", "received_at", church(UNTIL, 1000))
    by_year = Counter(time.year for time in received)
    assert by_year[2023] < by_year[2024] < by_year[2025]
    months = Counter(time.month for time in received if time.year == 2025)
    assert months[12] + months[1] > 1.5 * (months[6] + months[7])
    assert sum(time.weekday() == 6 for time in received) > len(received) / 2


def test_headcounts_are_higher_in_winter_than_in_summer() -> None:
    assert rhythm.season(int(datetime(2026, 1, 4, tzinfo=UTC).timestamp())) > 1.3
    assert rhythm.season(int(datetime(2026, 7, 5, tzinfo=UTC).timestamp())) < 0.7


def test_moments_ascend_with_their_share() -> None:
    moments = [rhythm.moment(share / 500, UNTIL) for share in range(501)]
    assert moments == sorted(moments)
    assert moments[-1] == UNTIL - 1


def test_without_a_day_the_church_is_the_one_that_it_always_was() -> None:
    assert max(times_of("people.people", "updated_at", church(None))) == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("people", [50, 100])
def test_some_people_stopped_attending_groups_months_ago(people: int) -> None:
    """As the question of docs/questions.md has it, which the demo answers at its end."""
    meetings = church(UNTIL, people)
    starts = {
        each.id: datetime.fromisoformat(str(each.attributes["starts_at"]))
        for each in meetings.table("groups.events").records()
    }
    attended: dict[int, list[datetime]] = {}
    for each in meetings.table("groups.attendances").records():
        person, event = each.relations["person"], each.relations["event"]
        if person and event and each.attributes["attended"]:
            attended.setdefault(person[1], []).append(starts[event[1]])
    last = max(map(max, attended.values()))
    stopped = [times for times in attended.values() if len(times) >= 2 and max(times) < last - timedelta(weeks=8)]
    assert 2 <= len(stopped) < len(attended) / 2


@pytest.mark.parametrize("church_number", [0, 1])
def test_the_demo_has_people_who_gave_last_year_and_not_yet_in_this(church_number: int) -> None:
    living = open_church(churches_of((100, 50), 7, until=UNTIL)[church_number], "http://simulated", SHAPES)
    givers: dict[int, set[int]] = {2025: set(), 2026: set()}
    for each in living.table("giving.donations").records():
        year, person = int(str(each.attributes["received_at"])[:4]), each.relations["person"]
        if person and year in givers:
            givers[year].add(person[1])
    assert givers[2025] - givers[2026]
    assert len(givers[2026]) > len(givers[2025] - givers[2026])


def test_newcomers_are_the_same_each_time_and_were_not_on_the_list() -> None:
    [spec] = churches_of((100,), 7, until=UNTIL, newcomers=3)
    first, again = (PlanningCenter(SimulatorOptions((spec,)), "http://simulated") for _ in range(2))
    before = {row["id"]: row for row in LIVING.truth(LISTED)}
    added = [row for row in first.churches[spec.org_id].truth(LISTED) if row["id"] not in before]
    assert added == [row for row in again.churches[spec.org_id].truth(LISTED) if row["id"] not in before]
    there = {person_of(row) for row in before.values() if list_of(row) == "985"}
    assert {list_of(row) for row in added} == {"985"}
    assert len({person_of(row) for row in added} - there) == 3
    assert LIVING.truth(LISTS)[0]["attributes"]["name"] == "Members"


def person_of(row: dict[str, Any]) -> str:
    return str(row["relationships"]["person"]["data"]["id"])


def list_of(row: dict[str, Any]) -> str:
    return str(row["relationships"]["list"]["data"]["id"])
