"""The documentation of the API: Swagger UI where a browser can load it, else a plain list of the endpoints."""

from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_PLACE: Final = '<div id="swagger-ui">'


@router.get("/api/docs")
async def show_documentation(request: Request) -> HTMLResponse:
    """Swagger UI comes from the internet; what it takes the place of does not."""
    shown = get_swagger_ui_html(openapi_url=str(request.app.openapi_url), title=request.app.title)
    html = bytes(shown.body).decode()
    return HTMLResponse(html.replace(_PLACE, _PLACE + _listed(request.app.openapi()), 1))


def _listed(document: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(operation.get('summary', ''))}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    where = '<p>As <a href="/api/openapi.json">OpenAPI</a>.</p>'
    return f"<h1>{escape(document['info']['title'])}</h1>{where}<table>{rows}</table>"
