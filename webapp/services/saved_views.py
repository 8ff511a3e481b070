"""Views of the tables under a name: kept, listed, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, or_, select
from sqlalchemy.orm import Session, joinedload

from webapp.database import writing
from webapp.models import SavedView, User, now
from webapp.services.rows import delete_in
from webapp.services.tables.view import parts

LONGEST = 80
MOST = 100
"""Views that one person can keep of a table."""


class CannotSave(Exception):
    """A view that is not kept; the text says why and what would do."""


def of(session: Session, noun: str, user_id: int) -> Sequence[SavedView]:
    """Somebody's own views of a table and those that others share, by name.

    Args:
        noun: of the table, `customers` or `contacts`.
        user_id: of whom.
    """
    query = select(SavedView).where(SavedView.noun == noun)
    query = query.where(or_(SavedView.user_id == user_id, SavedView.shared))
    found = session.scalars(query.options(joinedload(SavedView.user))).all()
    return sorted(found, key=lambda view: (view.user_id != user_id, view.name.casefold(), view.id))


def keep(
    session: Session, user_id: int, noun: str, name: str, args: Mapping[str, Sequence[str]], shared: bool
) -> SavedView:
    """Keep a view; one's own view of that name becomes this one.

    Raises:
        CannotSave: it has no name, or too long a one, or there are too many.
    """
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise CannotSave("A view needs a name to be found again. Type one, and save it again.")
    if len(name) > LONGEST:
        raise CannotSave(
            f"A view's name has at most {LONGEST} letters. Type a shorter one, and save it again."
        )
    session.rollback()  # what was read before ends first: SQLite takes its write lock at BEGIN only
    with writing():
        session.get_one(User, user_id, with_for_update=True)  # so that two at once keep one
        own = session.scalars(
            select(SavedView).where(SavedView.user_id == user_id, SavedView.noun == noun)
        ).all()
        view = next((each for each in own if each.name == name), None)
        if view is None:
            if len(own) >= MOST:
                raise CannotSave(
                    f"You keep {MOST} views of this table already. Delete one, and save it again."
                )
            view = SavedView(user_id=user_id, noun=noun, name=name, created_at=now())
            session.add(view)
        view.shared, view.args = shared, {key: list(values) for key, values in args.items()}
        session.commit()
    return view


def forget_source(connection: Connection, names: Collection[str], staying: Iterable[str]) -> None:
    """Delete the views that show one source alone, which goes; they must not become views of all.

    What somebody searches or filters other columns for is their own typing, and stays.

    Args:
        connection: of the caller's transaction.
        names: that the source has, or had.
        staying: names of the sources that stay.
    """
    going, others = [name.lower() for name in names], [name.lower() for name in staying]
    rows = connection.execute(select(SavedView.id, SavedView.args)).all()
    gone = [
        row.id
        for row in rows
        for meets in map(_meets, row.args.get("f", ()))
        if meets is not None and any(map(meets, going)) and not any(map(meets, others))
    ]
    delete_in(connection, SavedView, SavedView.id, set(gone))


def _meets(written: str) -> Callable[[str], bool] | None:
    """Which names of sources in lower case a filter lets through; None when it is about another column."""
    column, operator, text = parts(written)
    if column != "source" or not text:
        return None
    wanted = text.lower()
    return wanted.__eq__ if operator == "is" else lambda name: wanted in name


def forget(session: Session, view_id: int, user_id: int, administrator: bool) -> SavedView | None:
    """Delete one's own view, or as an administrator one that somebody shares.

    Returns:
        What it was; None when there is none that one may delete.
    """
    session.rollback()
    with writing():
        view = session.get(SavedView, view_id)
        if view is None or not (view.user_id == user_id or (administrator and view.shared)):
            session.rollback()
            return None
        session.delete(view)
        session.commit()
    return view
