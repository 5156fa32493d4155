"""Webhook events that Planning Center offers, as observed and publicly listed: none for Check-Ins or Registrations."""

from collections.abc import Iterator, Mapping
from typing import Final

_CHANGES: Final = ("created", "updated", "destroyed")

_OFFERED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "people": {
        **dict.fromkeys(
            ("address", "email", "field_datum", "field_definition", "household", "person", "phone_number"), _CHANGES
        ),
        "form_submission": ("created",),
        "list": (*_CHANGES, "refreshed"),
        "list_result": ("created", "destroyed"),
        "note": ("created", "destroyed"),
        "person_merger": ("created",),
        "workflow_card": (*_CHANGES, "step_ready"),
        **dict.fromkeys(("workflow", "workflow_card_activity", "workflow_share", "workflow_step"), _CHANGES),
    },
    "groups": {"group": _CHANGES, "membership": _CHANGES},
    "groups.church_center": {"group_application": _CHANGES},
    "services": {
        **dict.fromkeys(("arrangement", "key", "plan", "plan_item", "plan_note", "song"), _CHANGES),
        "plan.live": ("updated",),
    },
    "giving": {"donation": _CHANGES, "batch": ("created", "updated")},
    "calendar": {"event_request": (*_CHANGES, "approved")},
    "publishing": {"episode": _CHANGES, "episode_time": _CHANGES},
}


def _names() -> Iterator[str]:
    for app, nouns in _OFFERED.items():
        for noun, actions in nouns.items():
            yield from (f"{app}.v2.events.{noun}.{action}" for action in actions)


EVENT_NAMES: Final = tuple(_names())


def described(name: str) -> Mapping[str, str]:
    """Attributes with which Planning Center lists an event."""
    app, _, rest = name.partition(".v2.events.")
    noun, _, action = rest.rpartition(".")
    return {
        "name": name,
        "app": app.partition(".")[0],
        "version": "v2",
        "type": noun,
        "resource": noun,
        "action": action,
    }
