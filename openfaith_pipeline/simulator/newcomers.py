"""People who join a church's first list, `Members`, after its records were made: who is new is known from then on."""

from typing import Final

from openfaith_pipeline.planning_center.streams import people, people_lists
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.mutations import Editor
from openfaith_pipeline.simulator.values import FIRST_ID, stamp

LISTS: Final = people_lists.LISTS.name
LISTED: Final = people_lists.LIST_RESULTS.name
_PEOPLE: Final = people.PEOPLE.name


def let_join(editor: Editor, church: Church, count: int) -> list[int]:
    """Put so many people on the list who are not on it; the same ones each time, at the end of the church's time."""
    results = church.table(LISTED).records()
    there = {each.relations["person"] for each in results if each.relations["list"] == (LISTS, FIRST_ID)}
    others = [id for id in church.table(_PEOPLE).ids if (_PEOPLE, id) not in there][:count]
    joined_at = stamp(church.census.end)
    at_the_end = {"created_at": joined_at, "updated_at": joined_at}
    return [
        added
        for id in others
        for added in editor.add(LISTED, attributes=at_the_end, relations={"list": FIRST_ID, "person": id})
    ]
