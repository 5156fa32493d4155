"""People: lists and who is on them, and notes about people."""

from openfaith_pipeline.canonical.model import Edge, Entity, Folder
from openfaith_pipeline.canonical.rules import Reference, Take, taken
from openfaith_pipeline.planning_center.streams import people_lists

LIST_CATEGORIES = Folder(stream=people_lists.LIST_CATEGORIES)

LISTS = Folder(stream=people_lists.LISTS, parent="category", columns=taken("description"))

LIST_RESULTS = Edge(stream=people_lists.LIST_RESULTS, between=("person", "list"))

NOTE_CATEGORIES = Folder(stream=people_lists.NOTE_CATEGORIES)

NOTES = Entity(
    table="notes",
    tag="note",
    stream=people_lists.NOTES,
    columns={
        "text": Take("note", default=""),
        **taken("display_date"),
        "folderId": Reference("note_category"),
    },
)
