"""The CRM's side: customers, the sources behind them, and their contacts. Plain columns for the tables."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Bytes, Document, Id, Micros

NEW_LEAD = "New Lead"


class Customer(Base):
    """The account-wide record. What the sources tell is written by the policy; people edit the rest."""

    __tablename__ = "customers"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    """The source of the primary data source customer."""
    external_id: Mapped[str]
    name: Mapped[str | None]
    email: Mapped[str | None]
    website_url: Mapped[str | None]
    country: Mapped[str | None]
    state: Mapped[str | None]
    city: Mapped[str | None]
    zip: Mapped[str | None]
    custom: Mapped[Document]
    """Custom attributes as told: `{key: value}`; the registry's type says how each is shown."""
    contacts: Mapped[int] = mapped_column(default=0)
    first_seen: Mapped[Micros]
    last_seen: Mapped[Micros]
    lead_status: Mapped[str] = mapped_column(default=NEW_LEAD, server_default=NEW_LEAD)
    sort_name: Mapped[str]
    """`folded(name or external_id)`: what the name column sorts by."""
    search: Mapped[str]
    """Folded name, e-mail and external id, each behind two line feeds: what the search looks into."""
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]
    """When this row last became another; "12 new" counts by it."""

    sources: Mapped[list[DataSourceCustomer]] = relationship(
        back_populates="customer", order_by="DataSourceCustomer.id"
    )

    @property
    def public_id(self) -> str:
        return f"cus_{self.uuid}"

    @property
    def shown_name(self) -> str:
        return self.name or self.external_id


class DataSourceCustomer(Base):
    """The row by which one source stands behind a customer."""

    __tablename__ = "data_source_customers"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    kind: Mapped[str]
    """`company`, or `person` for somebody who is a customer of their own."""
    origin_uuid: Mapped[str] = mapped_column(unique=True)
    """The uuid of the company or person; the customer it first made bears the same."""
    external_id: Mapped[str]
    created_at: Mapped[Micros]

    customer: Mapped[Customer] = relationship(back_populates="sources")


class Contact(Base):
    """A person who has been imported, under a customer. Its uuid is the person's."""

    __tablename__ = "contacts"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    user_id: Mapped[str | None]
    email: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    title: Mapped[str | None]
    phone: Mapped[str | None]
    linked_in: Mapped[str | None]
    twitter: Mapped[str | None]
    custom: Mapped[Document]
    first_seen: Mapped[Micros]
    last_seen: Mapped[Micros]
    sort_name: Mapped[str]
    search: Mapped[str]
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]
    company: Mapped[Bytes | None]
    """Key of the company that put the contact here; None under a customer of their own."""

    customer: Mapped[Customer] = relationship()

    @property
    def public_id(self) -> str:
        return f"con_{self.uuid}"

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)

    @property
    def shown_name(self) -> str:
        return self.full_name or self.email or self.user_id or "Unnamed contact"


for _column in (Customer.sort_name, Customer.first_seen, Customer.last_seen, Customer.updated_at):
    Index(f"ix_customers_{_column.key}", _column, Customer.id)
    Index(f"ix_customers_source_id_{_column.key}", Customer.source_id, _column, Customer.id)
for _column in (Contact.sort_name, Contact.first_seen, Contact.last_seen, Contact.updated_at):
    Index(f"ix_contacts_{_column.key}", _column, Contact.id)
    Index(f"ix_contacts_source_id_{_column.key}", Contact.source_id, _column, Contact.id)
Index("ix_contacts_customer_id", Contact.customer_id, Contact.sort_name, Contact.id)
Index("ix_data_source_customers_source", DataSourceCustomer.source_id, DataSourceCustomer.customer_id)
