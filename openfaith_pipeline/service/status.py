"""The status page: what an operator looks at first. Server-made, without scripts and without personal data."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
