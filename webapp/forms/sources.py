"""What people type about a source, checked before a service sees it."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import ValidationError

from webapp.models.source import KEY, POLICIES, URL
from webapp.services import sources

_EXPLAINED = {
    "user": "A user created in Segment who is not attached to a company is imported and becomes a customer. "
    "For example, an email newsletter subscriber.",
    "company": "When a user is attached to a company in Segment, the company is imported and becomes a "
    "customer. For example, when selling to a lead who is part of a business. Individual users are not "
    "imported until they are attached to a company.",
}
POLICY_CHOICES = [(policy, label, _EXPLAINED[policy]) for policy, label in POLICIES.items()]

PAUSE_CHOICES = [
    ("keep", "Receive and keep", "Events are stored and wait. They are taken in when the source is resumed."),
    (
        "refuse",
        "Refuse",
        "The webhook answers 503. Segment tries again for four hours and then drops the event for good; "
        "libraries give up sooner.",
    ),
]

_GRACES_EXPLAINED = {
    0: "Events still sent {old} are refused from this moment on, and their senders drop them for good.",
    3600: "Events sent {old} are taken for one more hour, then refused.",
    86_400: "Events sent {old} are taken for one more day, then refused.",
}
_OLD = {URL: "to the old URL", KEY: "with the old key"}
GRACE_CHOICES = {
    kind: [
        (grace, label, _GRACES_EXPLAINED[grace].format(old=old)) for grace, label in sources.GRACES.items()
    ]
    for kind, old in _OLD.items()
}


class BillingSourceForm(FlaskForm):
    """A name, which is all that is set of a billing source."""

    name = StringField()

    def validate_name(self, field: StringField) -> None:
        """Hold the rules of a name."""
        try:
            field.data = sources.checked_name(field.data or "")
        except sources.Refused as refused:
            raise ValidationError(str(refused)) from None

    def refuse(self, refused: sources.Refused) -> None:
        """Show what a service refused beside the field that it is about."""
        field: Any = getattr(self, refused.field, None) or self.name
        field.errors = [*field.errors, str(refused)]


class SourceForm(BillingSourceForm):
    """Name and policy: what the settings page saves."""

    policy = StringField(default="user")

    def validate_policy(self, field: StringField) -> None:
        """Want one of the two choices."""
        if field.data not in POLICIES:
            raise ValidationError("Choose one of the two.")


class NewSourceForm(SourceForm):
    """A source that is not saved yet, with the sealed token of the URL that the page shows."""

    sealed = HiddenField()


def grace_of(text: str | None) -> int | None:
    """The seconds of grace that a form asks for; None when it is no choice that there is."""
    return int(text) if text in {str(grace) for grace in sources.GRACES} else None
