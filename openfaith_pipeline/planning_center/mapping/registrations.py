"""Registrations: the people and campuses that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import people, registrations

PEOPLE = Alias(stream=registrations.PEOPLE, of=people.PEOPLE)

CAMPUSES = Alias(stream=registrations.CAMPUSES, of=people.CAMPUSES)
