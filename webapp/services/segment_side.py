"""What Segment's ChartMogul destination sends unless its mappings are changed: what people can map there.

The destination has a fixed set of fields, each with a default of its own. A trait that no field names is
dropped before it gets here, so what is missing is put right in Segment. (By its release 3.497.0.)
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field of the destination's mappings."""

    call: str
    """The mapping it belongs to, which is the type of the calls that it makes."""
    label: str
    """As Segment's page calls it."""
    path: str
    """Where it stands in the call that arrives (`domain/paths.py`)."""
    filled: str
    """What it is filled with unless somebody changes it."""
    other: str
    """What to choose instead where calls tell it so; empty when there is no other usual spelling."""
    here: str
    """What it becomes here."""
    note: str = ""

    @property
    def framed(self) -> bool:
        """Whether it names whom the call speaks of, so that no path is counted for it."""
        return self.path in ("user_id", "group_id")


_CONTACT, _CUSTOMER = "Send Contact", "Send Customer"

# fmt: off
FIELDS = (
    Field(_CONTACT, "Email", "email", "traits.email", "", "the contact’s e-mail"),
    Field(_CONTACT, "First Name", "first_name", "traits.first_name", "traits.firstName", "first name"),
    Field(_CONTACT, "Last Name", "last_name", "traits.last_name", "traits.lastName", "last name"),
    Field(_CONTACT, "Full Name", "name", "traits.name", "", "first and last name, where neither is sent"),
    Field(_CONTACT, "Title", "title", "traits.title", "", "title"),
    Field(_CONTACT, "Phone Number", "phone", "traits.phone", "", "phone"),
    Field(_CONTACT, "LinkedIn", "linked_in", "traits.linkedIn", "traits.linked_in", "LinkedIn",
          "has to be a whole address, https://…"),
    Field(_CONTACT, "Twitter (X)", "twitter", "traits.twitter", "", "Twitter"),
    Field(_CONTACT, "Company › Id", "company.id", "traits.company.id", "context.groupId",
          "which customer the contact is with", "required while Company is mapped"),
    Field(_CONTACT, "Company › Name", "company.name", "traits.company.name", "", "that customer’s name"),
    Field(_CUSTOMER, "User Id", "user_id", "userId", "", "who is with the customer", "required"),
    Field(_CUSTOMER, "Group Id", "group_id", "groupId", "", "the customer’s external ID", "required"),
    Field(_CUSTOMER, "Name", "name", "traits.name", "", "name"),
    Field(_CUSTOMER, "Description", "description", "traits.description", "", "custom attribute description"),
    Field(_CUSTOMER, "Email", "email", "traits.email", "", "e-mail"),
    Field(_CUSTOMER, "Website", "website", "traits.website", "", "website"),
    Field(_CUSTOMER, "Created at", "created_at", "traits.createdAt", "traits.created_at",
          "custom attribute created_at"),
    Field(_CUSTOMER, "Street", "address.street", "traits.address.street", "", "custom attribute street"),
    Field(_CUSTOMER, "City", "address.city", "traits.address.city", "traits.city", "city"),
    Field(_CUSTOMER, "State", "address.state", "traits.address.state", "traits.state", "state"),
    Field(_CUSTOMER, "Postal code", "address.postal_code", "traits.address.postalCode",
          "traits.address.postal_code", "ZIP"),
    Field(_CUSTOMER, "Country", "address.country", "traits.address.country", "traits.country", "country"),
)
# fmt: on

HEADINGS = ("Mapping in Segment", "Field", "Filled with", "Or, if your calls say it so", "Becomes here")


def as_text() -> str:
    """The table with tabs between its columns, as a spreadsheet takes it."""
    rows = [HEADINGS, *((field.call, field.label, field.filled, field.other, field.here) for field in FIELDS)]
    return "\n".join("\t".join(row) for row in rows)
