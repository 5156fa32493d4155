"""The names of a source, by which everything outside its own package knows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openfaith_pipeline.catalog.words import Dictionary
from openfaith_pipeline.network.rate_budget import RateLimit


@dataclass(frozen=True)
class Account:
    """The church as its source knows it. number: the source's own id of it."""

    number: str
    name: str


@dataclass(frozen=True)
class EventHeaders:
    """The HTTP headers of a webhook delivery. sent_at: not signed."""

    event: str
    signature: str
    sent_at: str


@dataclass(frozen=True)
class Source:
    """A system that records are read from.

    adapter: its name in connections, external links, payloads, schemas, jobs, and addresses of the service.
    title: its name for people. kind: its name among the kinds of Dagster's assets.
    account_type: the type of the one record that stands for the whole org, which every other record belongs to.
    api_url: where it answers, unless a setting of its own or a connection says otherwise.
    applications_url: where a user makes credentials. rate_limit: of one connection, until a response gives another.
    query: parameters that request related records with a listing, each by the dotted relationships that lead to it, and
        by type the attributes and relationships to show, if those are not the usual ones.
    """

    adapter: str
    title: str
    kind: str
    account_type: str
    api_url: str
    applications_url: str
    event_headers: EventHeaders
    rate_limit: RateLimit
    query: Callable[[Sequence[str], Mapping[str, Sequence[str]]], dict[str, str]]

    @property
    def sync_job(self) -> str:
        """Dagster's job for one org: `<adapter>_sync`."""
        return f"{self.adapter}_sync"

    @property
    def sweep_job(self) -> str:
        """Dagster's job for every org that is due: `<adapter>_sweep`."""
        return f"{self.adapter}_sweep"

    @property
    def trigger_procedure(self) -> str:
        """OpenFaith's tRPC mutation that starts a sync."""
        return f"core.trigger{self.adapter.capitalize()}Sync"

    @property
    def connect_path(self) -> str:
        """The page by which a church connects itself."""
        return f"/connect/{self.adapter}"

    @property
    def events_path(self) -> str:
        """Where webhook deliveries are received."""
        return f"/api/webhooks/{self.adapter}"


class Product(Protocol):
    """A part of a source that is granted, read and shown by itself; its streams share a schema."""

    @property
    def value(self) -> str:
        """Its name: `people`."""

    @property
    def source(self) -> Source: ...

    @property
    def schema(self) -> str:
        """Database schema, asset group and op: `<adapter>_people`."""

    @property
    def path_prefix(self) -> str:
        """The prefix of all its paths: `/check-ins/v2`."""

    @property
    def api_version(self) -> str:
        """The version of the API that the product's declarations were written for."""

    @property
    def dictionary(self) -> Dictionary:
        """Descriptions of its tables and their columns."""

    @property
    def hides_what_is_forbidden(self) -> bool:
        """Whether the product returns no rows, instead of refusing, if the user may not read."""

    @property
    def holds_gifts(self) -> bool:
        """Whether the product's records are gifts; readers without giving see none of them."""

    def reference_url(self, vertex: str) -> str:
        """The public page that documents a type."""
