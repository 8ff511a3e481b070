"""Forms of accounts: signing in, one-time links, profile, users."""

from __future__ import annotations

import re

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import AnyOf, InputRequired, ValidationError

from webapp.models.account import ROLES
from webapp.services.passwords import GREATEST_LENGTH, LEAST_LENGTH

LONGEST_EMAIL = 254
LONGEST_NAME = 100
ROLE_CHOICES = (
    (
        "administrator",
        "Administrator",
        "Does everything: adds and deletes sources, sees webhook URLs, manages users.",
    ),
    ("viewer", "Viewer", "Sees customers, contacts and events, changes nothing, never sees a webhook URL."),
)
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def is_email(text: str) -> bool:
    """Whether it has the form of an e-mail address; only its owner can tell whether it works."""
    return len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None and not _CONTROL.search(text)


def stripped(text: str | None) -> str | None:
    """Without the blanks around it that copying brings along."""
    return text.strip() if text else text


def email_form(_form: FlaskForm, field: StringField) -> None:
    """Turn away what has not the form of an e-mail address."""
    if not is_email(field.data or ""):
        raise ValidationError("Enter an e-mail address, like ada@example.com.")


def readable_name(_form: FlaskForm, field: StringField) -> None:
    """Turn away a name that is too long, or that holds characters nobody can see."""
    text = field.data or ""
    if len(text) > LONGEST_NAME:
        raise ValidationError(f"A name has at most {LONGEST_NAME} characters; this one has {len(text)}.")
    if _CONTROL.search(text):
        raise ValidationError("This name holds a character that cannot be shown. Type it anew.")


def strong_enough(_form: FlaskForm, field: PasswordField) -> None:
    """Turn away short passwords; length is what makes one strong, so nothing else is asked."""
    length = len(field.data or "")
    if length < LEAST_LENGTH:
        raise ValidationError(f"Use at least {LEAST_LENGTH} characters; this password has {length}.")
    if length > GREATEST_LENGTH:
        raise ValidationError(f"Use at most {GREATEST_LENGTH} characters.")
    if re.search(r"[\ud800-\udfff]", field.data or ""):
        raise ValidationError("This password holds a character that cannot be kept. Choose another.")


class SignInForm(FlaskForm):
    """E-mail and password. Nothing here says which of the two is wrong."""

    email = StringField(filters=[stripped])
    password = PasswordField()


class PasswordForm(FlaskForm):
    """The password once more."""

    password = PasswordField(validators=[InputRequired("Enter your password.")])


class SetupForm(FlaskForm):
    """The first administrator."""

    email = StringField(filters=[stripped], validators=[email_form])
    name = StringField(filters=[stripped], validators=[readable_name])
    password = PasswordField(validators=[strong_enough])


class JoinForm(FlaskForm):
    """Somebody who was invited; the link knows the address."""

    name = StringField(filters=[stripped], validators=[readable_name])
    password = PasswordField(validators=[strong_enough])


class NewPasswordForm(FlaskForm):
    """A new password by a link."""

    password = PasswordField(validators=[strong_enough])


class ProfileForm(FlaskForm):
    """One's own name."""

    name = StringField(filters=[stripped], validators=[readable_name])


class ChangePasswordForm(FlaskForm):
    """One's own password."""

    current = PasswordField(validators=[InputRequired("Enter the password that you have now.")])
    password = PasswordField(validators=[strong_enough])


class RoleForm(FlaskForm):
    """What an account may do."""

    role = StringField(validators=[AnyOf(ROLES, "Choose what they may do.")])


class InviteForm(RoleForm):
    """Somebody new."""

    email = StringField(filters=[stripped], validators=[email_form])
