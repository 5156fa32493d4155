"""Calendar: the people that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import calendar, people

PEOPLE = Alias(stream=calendar.PEOPLE, of=people.PEOPLE)
