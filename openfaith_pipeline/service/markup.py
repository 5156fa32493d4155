"""Pages made here: plain, escaped, and without scripts."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from fastapi.responses import HTMLResponse

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top}"
    "th{color:#666;font-weight:normal}.bad{color:#a00}.good{color:#060}code{font-size:.9em}"
)
_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page(title: str, *parts: str, refresh: int | None = None, status: int = 200) -> HTMLResponse:
    """A page of HTML that is escaped already. refresh: seconds after which the browser asks again."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    body = "".join(parts)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}<title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>",
        status,
        dict(_HEADERS),
    )


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, *, tone: str = "") -> str:
    """tone: `good`, `bad` or neither."""
    return f'<p class="{escape(tone)}">{escape(text)}</p>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> str:
    """Rows of plain values, None shown as nothing; `empty` where there are no rows."""
    lines = ["".join(f"<td>{escape('' if cell is None else str(cell))}</td>" for cell in row) for row in rows]
    if not lines:
        return paragraph(empty)
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
