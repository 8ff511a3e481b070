"""Settings & Data > Users: who may sign in, and in which role. For administrators."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.accounts import ROLE_CHOICES, InviteForm, RoleForm
from webapp.models.account import User
from webapp.security import current_user, public_base
from webapp.services import accounts, invitations
from webapp.services.accounts import EmailTaken, LastAdministrator, NoSuchUser

bp = Blueprint("users", __name__, url_prefix="/users")


@bp.get("")
def index() -> ResponseReturnValue:
    """Everybody, and the links that wait for somebody."""
    return render_template(
        "users/index.html", users=accounts.users(db.session()), waiting=invitations.waiting(db.session())
    )


@bp.get("/new")
def new() -> ResponseReturnValue:
    """Ask whom to invite."""
    return render_template("users/new.html", form=InviteForm(role="viewer"), roles=ROLE_CHOICES)


@bp.post("")
def create() -> ResponseReturnValue:
    """Make the link that adds them, and show it this once."""
    form = InviteForm()
    if form.validate_on_submit():
        try:
            email, role = form.email.data or "", form.role.data
            token = invitations.invite(db.session(), email, role, by=current_user.id)
            return _link(accounts.normal_email(email), role, token)
        except EmailTaken as taken:
            form.email.errors = [str(taken)]
    return render_template("users/new.html", form=form, roles=ROLE_CHOICES), 422


@bp.post("/invitations/<int:invitation_id>/withdrawal")
def withdraw(invitation_id: int) -> ResponseReturnValue:
    """End a link that nobody has used yet."""
    email = invitations.withdraw(db.session(), invitation_id, by=current_user.id)
    flash(f"The link for {email} works no more." if email else "This link had ended already.")
    return redirect(url_for(".index"), 303)


@bp.get("/<int:user_id>")
def show(user_id: int) -> ResponseReturnValue:
    """One account."""
    return _page(_user(user_id))


@bp.post("/<int:user_id>/role")
def change_role(user_id: int) -> ResponseReturnValue:
    """Make them administrator or viewer."""
    form = RoleForm()
    if not form.validate_on_submit():
        return _page(_user(user_id), form.errors["role"][0]), 422
    keep = current_user.login_id if user_id == current_user.id else None
    try:
        user = accounts.change_role(db.session(), user_id, form.role.data, by=current_user.id, keep=keep)
    except LastAdministrator as refused:
        return _page(_user(user_id), str(refused)), 422
    except NoSuchUser:
        abort(404)
    flash(f"{user.email} is {'an administrator' if user.is_administrator else 'a viewer'} now.")
    return redirect(url_for(".show", user_id=user_id) if current_user.id != user_id else "/", 303)


@bp.post("/<int:user_id>/links")
def make_link(user_id: int) -> ResponseReturnValue:
    """Make a link that sets a new password, and show it this once."""
    user = _user(user_id)
    email, role = user.email, user.role
    return _link(email, role, invitations.reset_link(db.session(), user_id, by=current_user.id), resets=True)


@bp.get("/<int:user_id>/removal")
def ask_removal(user_id: int) -> ResponseReturnValue:
    """Ask before an account is removed."""
    return render_template("users/remove.html", user=_user(user_id))


@bp.post("/<int:user_id>/removal")
def remove(user_id: int) -> ResponseReturnValue:
    """Remove an account; their sessions end."""
    try:
        email = accounts.remove(db.session(), user_id, by=current_user.id)
    except LastAdministrator as refused:
        return render_template("users/remove.html", user=_user(user_id), error=str(refused)), 422
    except NoSuchUser:
        abort(404)
    flash(f"{email} was removed.")
    return redirect(url_for(".index"), 303)


def _user(user_id: int) -> User:
    try:
        return accounts.find(db.session(), user_id)
    except NoSuchUser:
        abort(404)


def _page(user: User, error: str | None = None) -> str:
    return render_template("users/show.html", user=user, roles=ROLE_CHOICES, error=error)


def _link(email: str, role: str, token: str, resets: bool = False) -> str:
    address = invitations.address(current_app.extensions["settings"], token, public_base())
    days = invitations.LINK_DAYS
    return render_template(
        "users/link.html", email=email, role=role, address=address, resets=resets, days=days
    )


def register(app: Flask) -> None:
    """Add these pages."""
    app.register_blueprint(bp)
