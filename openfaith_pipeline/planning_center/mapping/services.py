"""Services: the people that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import people, services

PEOPLE = Alias(stream=services.PEOPLE, of=people.PEOPLE)
