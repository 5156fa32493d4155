"""The documentation of the API: the OpenAPI document, and an HTML page made from it.

The page has no scripts and no external assets: browsers on this origin hold credentials of the service.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

from openfaith_pipeline.service.pages.rendering import render
from openfaith_pipeline.sources import DEFAULT_SOURCE

router = APIRouter(include_in_schema=False)

_SIGNATURE: Final = {
    "type": "apiKey",
    "in": "header",
    "name": DEFAULT_SOURCE.event_headers.signature,
    "description": f"Of {DEFAULT_SOURCE.title}: HMAC-SHA256 of the body by the subscription's secret, in hexadecimal.",
}


def documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A function for the app's OpenAPI document, extended by the signature of webhooks, which no dependency checks."""
    made = app.openapi

    def make() -> dict[str, Any]:
        document = made()
        document["components"].setdefault("securitySchemes", {})["signature"] = _SIGNATURE
        return document

    return make


@router.get("/api/docs")
async def show_documentation(request: Request) -> HTMLResponse:
    document = request.app.openapi()
    operations = [_described(*each, document) for each in _operations(document)]
    return render("documentation.html", {"info": document["info"], "operations": operations})


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _described(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """One operation in the template's form."""
    contents = [("Body", schema) for schema in _contents(operation.get("requestBody", {}))]
    for status, answer in operation.get("responses", {}).items():
        contents += [(f"{status}: {answer.get('description', '')}", schema) for schema in _contents(answer)]
    return {
        "title": f"{method} {path}",
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "ways": [name for way in operation.get("security", ()) for name in way],
        "parameters": [_parameter(each) for each in operation.get("parameters", ())],
        "schemas": [(title, _schema(schema, document)) for title, schema in contents],
    }


def _parameter(parameter: Mapping[str, Any]) -> dict[str, str]:
    is_needed = "" if parameter.get("required") else ", optional"
    text = f"{parameter['in']}{is_needed}. {parameter.get('description', '')}"
    return {"name": parameter["name"], "text": text.strip()}


def _contents(holder: Mapping[str, Any]) -> list[Any]:
    return [each["schema"] for each in holder.get("content", {}).values() if each.get("schema")]


def _schema(schema: Any, document: Mapping[str, Any]) -> str:
    return orjson.dumps(_with_parts(schema, document), option=orjson.OPT_INDENT_2).decode()


def _with_parts(schema: Any, document: Mapping[str, Any]) -> Any:
    """The schema with references replaced by their definitions. None of ours is recursive."""
    if isinstance(schema, list):
        return [_with_parts(each, document) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _with_parts(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], document)
    return {name: _with_parts(value, document) for name, value in schema.items()}
