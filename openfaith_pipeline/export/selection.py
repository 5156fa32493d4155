"""The choice of relations and questions by the names that people use for them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from openfaith_pipeline.catalog.view import Question
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.relations import Relation, all_relations
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import PRODUCTS, QUESTIONS

GROUPS: Final = ("views", "questions", "canonical", "raw", "all")
QUESTIONS_SCHEMA: Final = "questions"
"""Stands for a schema in the names of answers' files."""


@dataclass(frozen=True)
class Selection:
    """named: the names of those that were chosen one by one; the others came with a group."""

    relations: tuple[Relation, ...]
    questions: tuple[Question, ...]
    named: frozenset[str]


def question_name(question: Question) -> str:
    """`questions.who_stopped_attending_groups`."""
    words = re.findall(r"[a-z0-9]+", question.title.lower())
    return f"{QUESTIONS_SCHEMA}.{'_'.join(words)}"


def select(settings: Settings, names: Sequence[str]) -> Selection:
    """Tables with these names: group, product, stream, table, view or question; UsageError for any other."""
    relations = all_relations(settings)
    questions = {question_name(question): question for question in QUESTIONS}
    known = _by_name(relations.values(), questions)
    chosen: dict[str, bool] = {}  # full name -> whether it was named itself
    for name in names:
        if name not in known:
            raise UsageError(f"there is no {name!r} to export; {_hint(name, known)}")
        found = known[name]
        is_single = name not in GROUPS and name not in PRODUCTS
        chosen.update({each: chosen.get(each, False) or is_single for each in found})
    return Selection(
        tuple(relation for name, relation in relations.items() if name in chosen),
        tuple(question for name, question in questions.items() if name in chosen),
        frozenset(name for name, is_single in chosen.items() if is_single),
    )


def names_to_choose(settings: Settings) -> list[str]:
    """Every name that `select` knows."""
    return list(_by_name(all_relations(settings).values(), {question_name(each): each for each in QUESTIONS}))


def _by_name(relations: Iterable[Relation], questions: Mapping[str, Question]) -> dict[str, tuple[str, ...]]:
    """Name -> the full names that it stands for."""
    relations = tuple(relations)
    groups = {
        group: tuple(each.full_name for each in relations if each.group == group)
        for group in ("views", "canonical", "raw")
    }
    groups["questions"] = tuple(questions)
    products = {
        product: tuple(each.full_name for each in relations if each.group == "raw" and each.schema == declared.schema)
        for product, declared in PRODUCTS.items()
    }
    # The first of two that would share a short name has it.
    short: dict[str, tuple[str, ...]] = {}
    for each in relations:
        own = each.stream.name if each.stream else each.name
        short.setdefault(own, (each.full_name,))
    for name in questions:
        short.setdefault(name.partition(".")[2], (name,))
    full = {name: (name,) for name in (*(each.full_name for each in relations), *questions)}
    everything = tuple(name for names in groups.values() for name in names)
    return {**short, **full, **products, **groups, "all": everything}


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=3)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"name {', '.join(GROUPS)}, a product, a stream, a table or a view: openfaith-pipeline export list"
