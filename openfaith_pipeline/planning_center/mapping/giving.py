"""Giving: the people and campuses that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import giving, people

PEOPLE = Alias(stream=giving.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=giving.CAMPUSES, of=people.CAMPUSES)
