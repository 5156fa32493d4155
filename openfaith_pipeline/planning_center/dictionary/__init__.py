"""The data dictionary: words and marks for Planning Center's types and attributes, beside their declarations.

Belongs here: sentences about tables and attributes, and which of them are personal, financial or about health. Does
not: sentences that follow from a name or a relationship, which `catalog/words.py` derives for every source.
"""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.words import Dictionary
from openfaith_pipeline.planning_center.dictionary import (
    api,
    calendar,
    check_ins,
    common,
    giving,
    groups,
    people,
    publishing,
    registrations,
    services,
    webhooks,
)

DICTIONARIES: Final[Mapping[str, Dictionary]] = {
    module.__name__.rpartition(".")[2]: Dictionary(module.TABLES, module.ATTRIBUTES, common.ATTRIBUTES)
    for module in (
        people, groups, giving, calendar, check_ins, services, registrations, publishing, webhooks, api,
    )
}  # fmt: skip
"""The words for each product, by its name."""
