"""`flask user ...`."""

import re

import pytest

from tests.people import PASSWORD, post, sign_in

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def run(app, *arguments, stdin=None):
    """Run one command; its result."""
    return app.test_cli_runner().invoke(args=["user", *arguments], input=stdin)


def test_an_account_is_added_with_a_password_from_standard_input(app):
    """A script sets up an administrator; the password is no argument that a process list would show."""
    result = run(app, "add", "--email", "Ada@example.com", "--password-stdin", stdin=PASSWORD + "\n")
    assert result.exit_code == 0
    client = app.test_client()
    assert post(client, "/sign-in", email="ada@example.com", password=PASSWORD).status_code == 303
    assert client.get("/users").status_code == 200


def test_without_a_password_a_one_time_link_is_printed(app):
    """Whoever runs the server lets somebody in without knowing their password."""
    result = run(app, "add", "--email", "ada@example.com", "--role", "viewer")
    path = re.search(r"http://127\.0\.0\.1:8000(/setup/\S+)", result.output)[1]
    client = app.test_client()
    assert post(client, path, name="", password=PASSWORD).status_code == 303
    assert client.get("/users").status_code == 403


def test_a_link_lets_somebody_back_in_who_forgot_the_password(app):
    """The only administrator who forgot the password is not lost."""
    sign_in(app.test_client())
    result = run(app, "link", "Administrator@example.com")
    path = re.search(r"(/setup/\S+)", result.output)[1]
    assert post(app.test_client(), path, password="another fine password").status_code == 303


@SQLITE
def test_roles_and_removal_from_the_command_line(app):
    """What the users page does, scripts do."""
    run(app, "add", "--email", "ada@example.com", "--password-stdin", stdin=PASSWORD)
    client = app.test_client()
    sign_in(client, "viewer", "eve@example.com")
    assert run(app, "role", "eve@example.com", "administrator").exit_code == 0
    assert client.get("/profile").status_code == 303
    assert run(app, "list").output.splitlines() == [
        "ada@example.com\tadministrator\t",
        "eve@example.com\tadministrator\t",
    ]
    assert run(app, "remove", "eve@example.com", "--yes").exit_code == 0
    assert "eve" not in run(app, "list").output


@SQLITE
@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["add", "--email", "nonsense"], None, "does not have the form of an e-mail address"),
        (["add", "--email", "a@b.c", "--password-stdin"], "short\n", "12 to 1024 characters"),
        (["add", "--email", "administrator@example.com"], None, "already has an account"),
        (["link", "nobody@example.com"], None, "no account with the e-mail address nobody@example.com"),
        (["remove", "administrator@example.com", "--yes"], None, "only administrator"),
        (["role", "administrator@example.com", "viewer"], None, "only administrator"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(app, arguments, stdin, said):
    """A script sees a status that is not zero, a person one clear line."""
    sign_in(app.test_client())
    result = run(app, *arguments, stdin=stdin)
    assert result.exit_code != 0
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
