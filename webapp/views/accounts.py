"""Signing in and out, one-time links, one's own profile, and the password asked again."""

from __future__ import annotations

from flask import (
    Blueprint,
    Flask,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address

from webapp.extensions import db, limiter
from webapp.forms.accounts import (
    ChangePasswordForm,
    JoinForm,
    NewPasswordForm,
    PasswordForm,
    ProfileForm,
    SetupForm,
    SignInForm,
)
from webapp.security import (
    current_user,
    forget_session,
    local_path,
    public,
    set_session_cookie,
    signed_in,
    viewer_may_change,
)
from webapp.services import accounts, invitations, logins, passwords, tokens
from webapp.services.accounts import EmailTaken
from webapp.services.invitations import Link, LinkEnded

bp = Blueprint("accounts", __name__)
WRONG = "This e-mail address and password do not belong together."


def _address() -> str:
    return f"address {get_remote_address()}"


def _account() -> str:
    # A digest, so that the limiter's memory holds nobody's address.
    return "account " + tokens.digest(accounts.normal_email(request.form.get("email", ""))).hex()


def _session() -> str:
    return f"user {current_user.id if current_user else get_remote_address()}"


@bp.route("/sign-in", methods=["GET", "POST"])
@public
@limiter.limit("30 per 5 minutes", key_func=_address, methods=["POST"])
@limiter.limit("10 per 10 minutes", key_func=_account, methods=["POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for e-mail and password."""
    onward = local_path(request.args.get("next"))
    if current_user and request.method == "GET":
        return redirect(onward, 303)
    form = SignInForm()
    error = None
    if form.validate_on_submit():
        user_id = logins.authenticate(db.session(), form.email.data or "", form.password.data or "")
        if user_id is not None:
            return _welcome(user_id, onward)
        error = WRONG
    page = render_template(
        "accounts/sign_in.html", form=form, error=error, anybody=accounts.anybody(db.session())
    )
    return page, 422 if error else 200


@bp.post("/sign-out")
@viewer_may_change
def sign_out() -> ResponseReturnValue:
    """End this session."""
    logins.end(db.session(), signed_in().login_id)
    response = make_response(redirect(url_for(".sign_in"), 303))
    forget_session(response)
    flash("You are signed out.")
    return response


@bp.route("/setup/<token>", methods=["GET", "POST"])
@public
def setup(token: str) -> ResponseReturnValue:
    """Use a one-time link: the first administrator, somebody invited, or a new password."""
    try:
        link = invitations.find(db.session(), token)
        form = _setup_form(link)
        if form.validate_on_submit():
            db.session.rollback()  # nothing is held while the password is hashed
            kept = passwords.hashed(form.password.data or "")
            email = form.email.data if isinstance(form, SetupForm) else ""
            name = "" if isinstance(form, NewPasswordForm) else form.name.data
            return _welcome(invitations.accept(db.session(), token, email or "", name or "", kept), "/")
    except LinkEnded as ended:
        someone = accounts.anybody(db.session())
        return render_template("accounts/link_ended.html", message=str(ended), anybody=someone), 410
    except EmailTaken as taken:
        form.email.errors = [str(taken)]
    return render_template("accounts/setup.html", form=form, link=link), 422 if form.errors else 200


@bp.route("/confirm", methods=["GET", "POST"])
@viewer_may_change
@limiter.limit("10 per 10 minutes", key_func=_session, methods=["POST"])
def confirm() -> ResponseReturnValue:
    """Ask for the password again before something that cannot be undone."""
    onward = local_path(request.args.get("next"))
    form = PasswordForm()
    if form.validate_on_submit():
        if logins.confirm(db.session(), signed_in(), form.password.data or ""):
            return redirect(onward, 303)
        form.password.errors = ["This is not your password. Nothing was done."]
    return render_template("accounts/confirm.html", form=form, onward=onward), 422 if form.errors else 200


@bp.route("/profile", methods=["GET", "POST"])
@viewer_may_change
def profile() -> ResponseReturnValue:
    """One's own name."""
    form = ProfileForm(name=current_user.name)
    if form.validate_on_submit():
        accounts.rename(db.session(), current_user.id, form.name.data or "")
        flash("Your name was saved.")
        return redirect(url_for(".profile"), 303)
    return _profile(form, ChangePasswordForm(formdata=None)), 422 if form.errors else 200


@bp.post("/profile/password")
@viewer_may_change
@limiter.limit("10 per 10 minutes", key_func=_session, methods=["POST"])
def change_password() -> ResponseReturnValue:
    """One's own password; sessions elsewhere end."""
    who = signed_in()
    form = ChangePasswordForm()
    if form.validate_on_submit():
        if logins.authenticate(db.session(), who.email, form.current.data or "") == who.id:
            kept = passwords.hashed(form.password.data or "")
            accounts.change_password(db.session(), who.id, kept, keep=who.login_id)
            flash("Your password was changed. Wherever else you were signed in, you are signed out now.")
            return redirect(url_for(".profile"), 303)
        form.current.errors = ["This is not your present password. Nothing was changed."]
    return _profile(ProfileForm(formdata=None, name=who.name), form), 422


def _profile(form: ProfileForm, password_form: ChangePasswordForm) -> str:
    return render_template("accounts/profile.html", form=form, password_form=password_form)


def _setup_form(link: Link) -> SetupForm | JoinForm | NewPasswordForm:
    if link.email is None:
        return SetupForm()
    return NewPasswordForm() if link.resets else JoinForm()


def _welcome(user_id: int, onward: str) -> ResponseReturnValue:
    """A new session under a new token, new forms' token too: what was set before is worth nothing."""
    days = current_app.extensions["settings"].session_days
    token = logins.start(
        db.session(), user_id, days, instead_of=current_user.login_id if current_user else None
    )
    session.clear()
    response = make_response(redirect(onward, 303))
    set_session_cookie(response, token)
    return response


def register(app: Flask) -> None:
    """Add these pages."""
    app.register_blueprint(bp)
