"""The CRM's side: customers, the sources behind them, and their contacts. Plain columns for the tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, false, not_, true, type_coerce
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Bytes, Document, Id, Micros, where

NEW_LEAD = "New Lead"
LEAD_STATUSES = (NEW_LEAD, "Working Lead", "Qualified Lead", "Unqualified Lead")
"""What people choose among for a customer without a subscription."""
ACTIVE, PAST_DUE, CANCELLED = "Active", "Past Due", "Cancelled"
"""What the subscriptions of a customer say by themselves."""


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
    company: Mapped[str | None]
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
    lead_created_at: Mapped[Micros | None]
    free_trial_started_at: Mapped[Micros | None]
    lead_status: Mapped[str] = mapped_column(default=NEW_LEAD, server_default=NEW_LEAD)
    owner: Mapped[str | None]
    """The e-mail address of the user who looks after the customer."""
    tags: Mapped[str] = mapped_column(default="", server_default="")
    """In order, joined by `, `; no tag holds a comma."""
    mrr: Mapped[Micros | None]
    """Monthly recurring revenue of the subscriptions that run now, in hundredths of `currency`, rounded."""
    currency: Mapped[str | None]
    """Of `mrr`. A customer who pays in several has the greatest here and the others in `other_mrr`."""
    other_mrr: Mapped[Document | None]
    """`{"USD": 1200}`: hundredths by currency."""
    composed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the row is more than what one source told: merged, edited by hand, or with subscriptions."""
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
    """The row by which one source stands behind a customer, with what that source tells of it."""

    __tablename__ = "data_source_customers"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    kind: Mapped[str]
    """`company`, `person` for somebody who is a customer of their own, or `billing`."""
    origin_uuid: Mapped[str] = mapped_column(unique=True)
    """The uuid of the company, person or billing record; a customer led by it bears the same."""
    external_id: Mapped[str]
    told: Mapped[Document]
    """What the source tells: standard attributes by name, custom ones under `custom`; no blanks."""
    first_seen: Mapped[Micros]
    last_seen: Mapped[Micros]
    leads: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether it is the primary of its customer."""
    unmatched: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Changed since the automations last looked at it."""
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]

    customer: Mapped[Customer] = relationship(back_populates="sources")

    @hybrid_property
    def follows(self) -> bool:
        """Whether another leads its customer."""
        return not self.leads

    @follows.inplace.expression
    @classmethod
    def _follows(cls) -> ColumnElement[bool]:
        # In the words of the partial indexes: SQLite does not know `leads = 0`, as it is told else, for them.
        leads: ColumnElement[Any] = type_coerce(cls.leads, Integer())
        return not_(leads)


class Contact(Base):
    """A person who has been imported, under a customer. Its uuid is the person's."""

    __tablename__ = "contacts"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    origin_uuid: Mapped[str]
    """Of the data source customer under which its source puts it."""
    within_id: Mapped[Micros | None]
    """The contact that shows this one too: the same human, told of by another source of a merged customer."""
    own: Mapped[Document | None]
    """What its own source tells, while the columns show more than that; None while they are the same."""
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
Index("ix_contacts_within_id", Contact.within_id, **where("within_id IS NOT NULL"))
_d = DataSourceCustomer
Index("ix_data_source_customers_source", _d.source_id, _d.customer_id)
Index("ix_data_source_customers_following", _d.source_id, _d.customer_id, **where("NOT leads"))
Index("ix_data_source_customers_following_external_id", _d.external_id, _d.source_id, **where("NOT leads"))
Index("ix_data_source_customers_unmatched", _d.id, **where("unmatched"))
Index(
    "ix_data_source_customers_billing", _d.source_id, _d.external_id, unique=True, **where("kind = 'billing'")
)
