"""OpenFaith's plan of the forms that a source's types take, and the forms that the declarations give them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from openfaith_pipeline.canonical.model import FOLDERS
from openfaith_pipeline.canonical.registry import Model
from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.stream import Stream


class Form(StrEnum):
    """A form that the records of a type take."""

    ENTITY = "entity"
    FOLDER = "folder"
    EDGE = "edge"
    FIELD = "field"
    ALIAS = "alias"
    SKIP = "skip"


@dataclass(frozen=True)
class Plan:
    """A source's types in OpenFaith's terms. Several types are given as one text, separated by blanks.

    forms: the plan, by product. not_yet: the types that no declaration has yet, by product.
    differences: by product, the types that deliberately take another form, and why.
    """

    forms: Mapping[Product, Mapping[Form, str]]
    differences: Mapping[Product, Mapping[str, str]]
    not_yet: Mapping[Product, str]

    def planned(self) -> Iterator[tuple[Product, str, Form]]:
        """Each type with its form, one product after the other."""
        for product, forms in self.forms.items():
            for form, types in forms.items():
                yield from ((product, type_, form) for type_ in types.split())

    def is_missing(self, product: Product, type_: str) -> bool:
        return type_ in self.not_yet.get(product, "").split()

    def reason(self, product: Product, type_: str) -> str:
        """Why the type deliberately takes another form than planned; '' if it does not."""
        return self.differences.get(product, {}).get(type_, "")


def streams_of_type(model: Model, product: Product, type_: str) -> list[Stream]:
    """The streams with records of the type; none if it is not synced."""
    return [stream for stream in model.streams.values() if stream.product is product and stream.type == type_]


def form_of(model: Model, product: Product, type_: str) -> Form:
    """The form that the declarations give the type."""
    names = {stream.name for stream in streams_of_type(model, product, type_)}
    values = {each.stream.name for each in model.fields} | {each.stream.name for each in model.answers}
    folders = {name for name, entity in model.entities.items() if entity.table == FOLDERS}
    by_form = {
        Form.FOLDER: folders,
        Form.ENTITY: model.entities.keys(),
        Form.EDGE: model.edges.keys(),
        Form.ALIAS: model.aliases.keys(),
        Form.FIELD: values,
    }
    return next((form for form, declared in by_form.items() if names & declared), Form.SKIP)
