"""Groups: the people and campuses that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import groups, people

PEOPLE = Alias(stream=groups.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=groups.CAMPUSES, of=people.CAMPUSES)
