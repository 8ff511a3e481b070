"""The ordinary way to receive events: a Flask view, gunicorn, an ORM insert and a commit for each request."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class _Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=_Base)


class Call(db.Model):  # type: ignore[misc, name-defined]
    """One event as it was received."""

    __tablename__ = "plain_calls"

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    message_id: Mapped[str] = mapped_column(index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


def create_app() -> Flask:
    """The application; `make_table` was called before."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    app.add_url_rule("/webhook", view_func=_receive, methods=["POST"])
    return app


def make_table(engine: Engine) -> None:
    """Make its table: the processes of a server that each did so would get in each other's way."""
    db.metadata.create_all(engine)


def _receive() -> dict[str, int]:
    told = request.get_json()
    events = told.get("batch", [told])
    for event in events:
        db.session.add(Call(type=event["type"], message_id=event["message_id"], body=event))
    db.session.commit()
    return {"received": len(events)}
