"""Check-Ins: the people that it shares with People."""

from openfaith_pipeline.canonical.model import Alias
from openfaith_pipeline.planning_center.streams import check_ins, people

PEOPLE = Alias(stream=check_ins.PEOPLE, of=people.PEOPLE)
