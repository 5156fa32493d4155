"""Render a template as a response: escaped, with a content security policy that admits only our style sheet."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from openfaith_pipeline.service.pages import words
from openfaith_pipeline.service.pages.sparkline import points, spoken

_STYLE: Final = (files(__package__) / "templates" / "style.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# With `no-referrer` a browser sends `Origin: null` with our own forms, and the check of the origin would refuse them.
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        age=words.age,
        count=words.count,
        due=words.due,
        duration=words.duration,
        iso=words.iso,
        moment=words.moment,
        one_line=words.one_line,
        plain=words.plain,
        points=points,
        rate=words.rate,
        share=words.share,
        spoken=spoken,
    )
    environment.globals["style"] = _STYLE
    return environment


_ENVIRONMENT: Final = _environment()


def render(
    template: str, values: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Render a template. values: by the names in the template; a missing one is an error."""
    text = _ENVIRONMENT.get_template(template).render(values)
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


def message_page(
    title: str, message: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """A page with one sentence."""
    return render("message.html", {"title": title, "message": message}, status=status, headers=headers)
