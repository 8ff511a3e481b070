"""Rules as people set them up: added, changed, tested, switched on and off, undone, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from webapp.domain.composing import CUSTOMER_VALUES
from webapp.domain.matching import KEYS, OPERATORS, domain_of
from webapp.domain.text import clean
from webapp.models import Automation, AutomationRun, FreeMailDomain, Match, MatchKey, Source, now
from webapp.models.automation import OPEN
from webapp.models.base import new_uuid
from webapp.services import attributes, audit, visibility
from webapp.services.automations import runs
from webapp.services.transactions import write

LONGEST_NAME = 120
FIELDS = ("external_id", *(name for name in CUSTOMER_VALUES if not name.endswith("_at")))
"""Standard attributes that a condition can be about."""


class Refused(ValueError):
    """A rule cannot be like this; the message is for the person who set it up."""


def all_rules(session: Session) -> list[Automation]:
    """Every rule, in the order in which they were added."""
    return list(session.scalars(select(Automation).order_by(Automation.id)))


def find(session: Session, uuid: str) -> Automation | None:
    """One rule."""
    return session.scalar(select(Automation).where(Automation.uuid == uuid))


def words_of_key(key: str) -> str:
    """What a key is called: `Website domain`, `custom attribute plan`."""
    return KEYS.get(key) or f"custom attribute {key.removeprefix('custom.')}"


def sources_of(session: Session, billing: bool) -> list[tuple[int, str]]:
    """Ids and names of the sources that a rule can be limited to."""
    query = select(Source.id, Source.name).where(Source.state == visibility.ACTIVE)
    query = query.where(Source.kind == "billing" if billing else Source.kind != "billing")
    return [(row.id, row.name) for row in session.execute(query.order_by(Source.name_key))]


def custom_keys(session: Session) -> list[str]:
    """Custom attributes of customers, by which a rule can match."""
    return [known.key for known in attributes.offered(session.connection(), "customer", None)]


def checked(session: Session, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a form told, as a rule keeps it.

    Args:
        told: `name`, `keys`, `conditions` (field, operator, value each), `segment_source_id`,
            `billing_source_id` (texts, empty for all).

    Raises:
        Refused: it is no rule that can work.
    """
    name = clean(" ".join(str(told["name"]).split()))
    if not name or len(name) > LONGEST_NAME:
        raise Refused(f"Give the automation a name of at most {LONGEST_NAME} characters.")
    keys = [
        key for key in dict.fromkeys(map(clean, told["keys"])) if key in KEYS or key.startswith("custom.")
    ]
    if not keys:
        raise Refused("Choose at least one thing to match by.")
    return {
        "name": name,
        "keys": keys,
        "conditions": [_condition(each) for each in told["conditions"] if each["field"]],
        "segment_source_id": _source(session, told["segment_source_id"], billing=False),
        "billing_source_id": _source(session, told["billing_source_id"], billing=True),
    }


def _condition(told: Mapping[str, str]) -> dict[str, str]:
    field, operator, value = clean(told["field"]), told["operator"], clean(told["value"].strip())
    if (field not in FIELDS and not field.startswith("custom.")) or operator not in OPERATORS:
        raise Refused("One of the conditions is none that there is.")
    if not value and not operator.endswith("empty"):
        raise Refused("A condition needs something to compare with.")
    return {"field": field, "operator": operator, "value": "" if operator.endswith("empty") else value}


def _source(session: Session, told: str, billing: bool) -> int | None:
    if not told:
        return None
    known = {str(id): id for id, _ in sources_of(session, billing)}
    if told not in known:
        raise Refused("This source is no longer there.")
    return known[told]


def add(session: Session, columns: Mapping[str, Any], by: int | None) -> Automation:
    """Add a rule, switched off."""
    with write(session):
        moment = now()
        rule = Automation(uuid=new_uuid(), user_id=by, created_at=moment, updated_at=moment, **columns)
        session.add(rule)
        _log(session, "automation.added", by, rule)
    return rule


def change(
    session: Session, rule: Automation, columns: Mapping[str, Any], by: int | None
) -> AutomationRun | None:
    """Change a rule. One that is on goes over everything again; the pass to follow, if there is one."""
    with write(session):
        before = (rule.segment_source_id, rule.billing_source_id)
        for name, value in columns.items():
            setattr(rule, name, value)
        rule.updated_at = now()
        _log(session, "automation.changed", by, rule, *before)
        if rule.on:
            return runs.request(session, rule, runs.APPLY, by)
        _forget(session, rule)
        return None


def _forget(session: Session, rule: Automation) -> None:
    """What a test of the rule as it was found says nothing of the rule as it is."""
    session.execute(delete(Match).where(Match.automation_id == rule.id))


def test(session: Session, rule: Automation, by: int | None) -> AutomationRun:
    """Ask for a test: everything is looked at, nothing is merged."""
    with write(session):
        return runs.request(session, rule, runs.TEST, by)


def switch(session: Session, rule: Automation, on: bool, by: int | None) -> AutomationRun | None:
    """Switch a rule on, which lets it go over everything, or off; what it merged stays."""
    with write(session):
        rule.on = on
        rule.updated_at = now()
        _log(session, "automation.switched_on" if on else "automation.switched_off", by, rule)
        if on:
            return runs.request(session, rule, runs.APPLY, by)
        runs.end_open(session, rule.id)
        _forget(session, rule)
        return None


def undo(session: Session, rule: Automation, by: int | None) -> AutomationRun:
    """Switch a rule off and take back every merge that it made."""
    with write(session):
        rule.on = False
        rule.updated_at = now()
        _forget(session, rule)
        _log(session, "automation.undone", by, rule)
        return runs.request(session, rule, runs.UNDO, by)


def remove(session: Session, rule: Automation, by: int | None) -> None:
    """Remove a rule. What it merged stays merged, and says that a rule did it."""
    with write(session):
        runs.end_open(session, rule.id)
        _log(session, "automation.removed", by, rule)
        session.delete(rule)


def _log(session: Session, action: str, by: int | None, rule: Automation, *more: int | None) -> None:
    """Write a line of the audit log on a rule; it goes with the sources that the rule is, or was, about."""
    sources = (rule.segment_source_id, rule.billing_source_id, *more)
    audit.record_on(session.connection(), action, by, sources, rule=rule.name)


def is_running(run: Any | None) -> bool:
    """Whether a pass is under way."""
    return run is not None and run.state in OPEN


def free_mail(session: Session) -> list[str]:
    """The domains that never match, in order."""
    return list(session.scalars(select(FreeMailDomain.domain).order_by(FreeMailDomain.domain)))


def set_free_mail(session: Session, lines: Iterable[str], by: int | None) -> Sequence[AutomationRun]:
    """Replace the domains that never match; the rules that are on and match by domain go over everything.

    Args:
        lines: one domain each; blank ones are passed over.

    Returns:
        The passes to follow.

    Raises:
        Refused: a line is no domain.
    """
    domains = []
    for line in lines:
        if line.strip():
            domain = domain_of(line)
            if not domain:
                raise Refused(f"“{line.strip()[:80]}” is not a domain. Nothing was saved.")
            domains.append(domain)
    with write(session):
        session.execute(delete(FreeMailDomain))
        if domains:
            session.execute(insert(FreeMailDomain), [{"domain": each} for each in sorted(set(domains))])
        session.execute(delete(MatchKey).where(MatchKey.kind == "domain"))
        audit.record(session, "automation.free_mail_changed", by, domains=len(set(domains)))
        concerned = [rule for rule in all_rules(session) if rule.on and "domain" in rule.keys]
        return [runs.request(session, rule, runs.APPLY, by) for rule in concerned]
