"""`org invite`: a link for connecting an org whose church is not known."""

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.cli.org_names import OrgName, org_id_of
from openfaith_pipeline.connections.invitations import invitation_url, make_invitation
from openfaith_pipeline.connections.openfaith_tokens import adopt_openfaith_orgs
from openfaith_pipeline.database import open_database
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import load_settings
from openfaith_pipeline.sources import DEFAULT_SOURCE


def invite(org: OrgName, as_json: terminal.JsonOption = False) -> None:
    """Print a link with which a church connects this org by OAuth. It works once, within seven days.

    It is needed for an org whose Planning Center organization is not known, such as one added with --no-verify whose
    token has never worked. Give it only to the church: the person who opens it and approves connects their church.

    Examples:
      openfaith-pipeline org invite org_01k5t0w2m1e9qv4y8z3n7b6c5d

    Exit codes: 0 printed; 1 the database does not answer; 2 no such org, or OPENFAITH_PUBLIC_URL is not set.
    """
    settings = load_settings()
    if settings.public_url is None:
        raise ConfigurationError(
            "OPENFAITH_PUBLIC_URL is not set: set it to the address at which churches reach the service"
        )
    with open_database(settings) as database, database.connect() as connection:
        adopt_openfaith_orgs(connection, settings.canonical_schema, adapter=DEFAULT_SOURCE.adapter)
        org_id = org_id_of(connection, org)
        invitation = make_invitation(connection, org_id)
    url = invitation_url(settings.public_url, invitation, source=DEFAULT_SOURCE)
    if as_json:
        terminal.print_json({"org_id": org_id, "url": url, "expires_at": invitation.expires_at.isoformat()})
        return
    terminal.output().print(url, markup=False, soft_wrap=True)
    terminal.say(f"valid once, until {terminal.moment(invitation.expires_at)}")
