"""Invitations through the API, like `openfaith-pipeline org invite`, for keys that may connect orgs."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel

from openfaith_pipeline.connections.invitations import invitation_url, make_invitation
from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.service.access import Visitor, visitor_with
from openfaith_pipeline.service.api_keys import CONNECT
from openfaith_pipeline.service.schemas import ANSWERS
from openfaith_pipeline.sources import DEFAULT_SOURCE

router = APIRouter(prefix="/orgs", tags=["orgs"], responses=ANSWERS)


class Invited(BaseModel):
    """The link to give to the church, and its expiry. Valid once."""

    org_id: str
    url: str
    expires_at: datetime


@router.post("/{org_id}/invitations", status_code=201, summary="Invite a church to connect this org")
def invite(
    request: Request,
    org_id: Annotated[str, Path(max_length=60)],
    visitor: Annotated[Visitor, Depends(visitor_with(CONNECT))],
) -> Invited:
    """A link for one connection, valid for a week. Needed if the org's Planning Center organization is not known."""
    visitor.check_org(org_id)
    public_url = request.app.state.database.settings.public_url
    if public_url is None:
        raise ConfigurationError("OPENFAITH_PUBLIC_URL is not set: a link would lead nowhere")
    with request.app.state.pool.connection() as connection:
        invitation = make_invitation(connection, org_id)
    return Invited(
        org_id=org_id,
        url=invitation_url(public_url, invitation, source=DEFAULT_SOURCE),
        expires_at=invitation.expires_at,
    )
