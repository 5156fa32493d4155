"""Events of a rollback are on the assets where these stand."""

from openfaith_pipeline.defs.compensation import rollback_events
from openfaith_pipeline.defs.placement import HERE, Placement
from openfaith_pipeline.journal.undoing import Undone
from openfaith_pipeline.sync.rollback import OrgRollback, RollbackOrder


def keys(place: Placement) -> set[str]:
    counts = Undone(1, 0, 0, 0)
    tables = {"pco_people.emails": counts, "public.openfaith_emails": counts}
    undone = [OrgRollback("org_1", tables, ())]
    return {event.asset_key.to_user_string() for event in rollback_events(RollbackOrder("a sync"), undone, {}, place)}


def test_a_prefix_is_before_every_key() -> None:
    assert keys(HERE) == {"pco_people/emails", "openfaith/emails"}
    assert keys(Placement(("church",))) == {"church/pco_people/emails", "church/openfaith/emails"}
