"""What people type about a key of the API."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import StringField

from webapp.models.api_key import READ, WRITE
from webapp.services.sources import Refused

SCOPE_CHOICES = [
    (READ, "Read only", "Sees customers, contacts, plans and subscriptions, and changes nothing."),
    (WRITE, "Read and write", "Imports and changes them too, merges customers, and deletes billing sources."),
]


class ApiKeyForm(FlaskForm):
    """A name, and what the key may do."""

    name = StringField()
    scope = StringField(default=READ)

    def refuse(self, refused: Refused) -> None:
        """Show what a service refused beside the field that it is about."""
        field: Any = getattr(self, refused.field, None) or self.name
        field.errors = [*field.errors, str(refused)]
