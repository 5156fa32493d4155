"""JSON schemas for the OpenAPI document, and the forms of errors."""

from typing import Any, Final

from pydantic import BaseModel, Field

_DEFINITIONS: Final = "#/$defs/"


class Trouble(BaseModel):
    """The error."""

    type: str = Field(examples=["OrgPaused"])
    message: str


class Refused(BaseModel):
    """The response to a failed call, with the required change, or, with 503 and 429, to be retried."""

    error: Trouble


class ProcedureTrouble(BaseModel):
    """tRPC's error. code: JSON-RPC's number."""

    message: str
    code: int
    data: dict[str, Any]


class ProcedureRefused(BaseModel):
    """The error of a call in tRPC's form; under `json` if the call was sent that way."""

    error: ProcedureTrouble | dict[str, Any]


class ExecutionFailed(BaseModel):
    """The end of a failed execution, in the form of @effect/workflow's proxy."""

    tag: str = Field(alias="_tag", examples=["ExternalSyncError"])
    message: str


ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": Refused, "description": "It failed; nothing was changed, unless it says so."}
}
PROCEDURE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "model": ProcedureRefused | list[dict[str, Any]],
        "description": "It failed; for a batch, the responses to each call.",
    }
}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """The part of an operation that says which JSON it takes."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def idempotency_key_of(started: str) -> dict[str, Any]:
    """The parameter `Idempotency-Key`. started: the work that a key starts once, such as `sync of the org`."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "maxLength": 255},
        "description": f"The same key never starts a second {started}.",
    }


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's self-contained schema: its separate definitions have no place inside another document."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    found: dict[str, Any] = _resolved(schema, definitions)
    return found


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref", "")
    rest = {name: _resolved(value, definitions) for name, value in schema.items() if name != "$ref"}
    if not reference.startswith(_DEFINITIONS):
        return rest if not reference else {**rest, "$ref": reference}
    return {**_resolved(definitions[reference.removeprefix(_DEFINITIONS)], definitions), **rest}
