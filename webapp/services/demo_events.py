"""A few thousand believable events for a demo: what a small software company's stream looks like.

The same seed and day give the same events to the last byte, so that making a demo again adds nothing.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from webapp.domain.clock import iso
from webapp.services import demo_words as words

SECOND = 1_000_000
DAY = 86_400 * SECOND
SPAN = 120  # days over which the events are spread
SUBSCRIBERS = 160
VISITORS = 120
STRANGERS = 90

Body = dict[str, Any]


@dataclass(slots=True)
class _Company:
    id: str
    name: str
    domain: str
    since: int
    facts: Body


@dataclass(slots=True)
class _Human:
    id: str
    first: str
    last: str
    email: str
    since: int
    company: _Company | None = None
    browsers: list[str] = field(default_factory=list)
    facts: Body = field(default_factory=dict)


def make(seed: int, until: int) -> list[bytes]:
    """The events of a demo, in the order in which they arrive.

    Args:
        seed: which of the many demos.
        until: the instant before which all of them happen, in microseconds.

    Returns:
        JSON texts, each one event in one of the two dialects.
    """
    told = _Stream(random.Random(seed), seed, until - SPAN * DAY)  # noqa: S311  made up, not secret
    told.tell()
    bodies = [json.dumps(body, ensure_ascii=False).encode() for _, body in sorted(told.events, key=_moment)]
    # Segment is at times unsure whether a call arrived, and sends it again a little later.
    for place in range(40, len(bodies), 90):
        bodies.insert(min(place + 7, len(bodies)), bodies[place])
    return bodies


def _moment(event: tuple[int, Body]) -> int:
    return event[0]


class _Stream:
    """Tells a company's history, one kind of people after the other."""

    def __init__(self, chance: random.Random, seed: int, start: int) -> None:
        self.events: list[tuple[int, Body]] = []
        self._chance = chance
        self._seed = seed
        self._start = start
        self._number = 0

    def tell(self) -> None:
        """Make all events."""
        companies = [self._company(place, name) for place, name in enumerate(words.COMPANIES)]
        people = [human for company in companies for human in self._staff(company)]
        for human in people:
            self._work(human)
        for human in self._chance.sample(people, 14):
            self._change_company(human, self._chance.choice(companies))
        for number in range(SUBSCRIBERS):
            self._subscribe(number)
        for number in range(VISITORS):
            self._visit_and_sign_up(number, companies)
        for number in range(STRANGERS):
            self._look_around(number)
        self._say_nonsense()

    # Companies and those who work there ---------------------------------------------------------------------

    def _company(self, place: int, name: str) -> _Company:
        city, state, code, country = words.PLACES[place % len(words.PLACES)]
        since = self._moment(0, 60)
        facts = {
            "industry": self._chance.choice(words.INDUSTRIES),
            "plan": self._chance.choice(words.PLANS),
            "employees": self._chance.randrange(2, 900),
            "mrr": round(self._chance.uniform(0, 2400), 2),
            "selfServe": self._chance.random() < 0.6,
            "renewsAt": iso(since + self._chance.randrange(30, 365) * DAY),
            "address": {
                "street": f"{self._chance.randrange(1, 90)} {self._chance.choice(words.LAST_NAMES)} Street",
                "city": city,
                "state": state,
                "postalCode": code,
                "country": country,
            },
        }
        company = _Company(f"org_{1000 + place}", name, f"{_slug(name)}.example", since, facts)
        if place % 15 == 14:
            company.name = ""  # some tell no name, and are shown by their id
        return company

    def _staff(self, company: _Company) -> list[_Human]:
        staff = [
            self._human(company=company, after=company.since) for _ in range(self._chance.randrange(2, 12))
        ]
        self._describe(company, staff[0], company.since)
        for _ in range(self._chance.randrange(1, 5)):  # sales and billing go on telling of it
            company.facts["plan"] = self._chance.choice(words.PLANS)
            company.facts["employees"] += self._chance.randrange(0, 20)
            company.facts["mrr"] = round(self._chance.uniform(0, 2400), 2)
            self._describe(company, self._chance.choice(staff), self._after(company.since))
        return staff

    def _describe(self, company: _Company, by: _Human, at: int) -> None:
        website = f"https://www.{company.domain}"
        facts = {**company.facts, "address": dict(company.facts["address"])}
        if self._chance.random() < 0.5:
            facts["address"]["postal_code"] = facts["address"].pop("postalCode")
            told = {"name": company.name, "email": f"billing@{company.domain}", "website": website}
            created = iso(company.since - self._chance.randrange(400) * DAY)
            self._flat(
                "Send Customer", at, user_id=by.id, group_id=company.id, created_at=created, **told, **facts
            )
        else:
            created_at = company.since // SECOND
            told = {"name": company.name, "website": website}
            self._spec(
                "group", at, userId=by.id, groupId=company.id, traits=told | {"createdAt": created_at} | facts
            )

    def _work(self, human: _Human) -> None:
        self._introduce(human, human.since)
        at = human.since
        for _ in range(self._chance.randrange(1, 9)):
            at = self._after(at)
            self._act(human, at)
        if self._chance.random() < 0.4:
            human.facts |= {
                "plan": self._chance.choice(words.PLANS),
                "loginCount": self._chance.randrange(400),
            }
            self._introduce(human, self._after(at))

    def _introduce(self, human: _Human, at: int) -> None:
        company = human.company
        attached = {"id": company.id, "name": company.name} if company else None
        if self._chance.random() < 0.5:
            names = {"first_name": human.first, "last_name": human.last, "email": human.email}
            extra = {"company": attached} if attached else {}
            self._flat("Send Contact", at, user_id=human.id, **names, **human.facts, **extra)
        else:
            traits: Body = {"name": f"{human.first} {human.last}", "email": human.email, **human.facts}
            if attached:
                traits["company"] = attached
            self._spec("identify", at, userId=human.id, anonymousId=self._browser(human), traits=traits)

    def _act(self, human: _Human, at: int) -> None:
        properties: Body = {
            "seats": self._chance.randrange(1, 90),
            "score": round(self._chance.uniform(0, 100), 1),
            "viaMobile": self._chance.random() < 0.3,
        }
        event = self._chance.choice(words.EVENTS)
        if event == "Invite Sent":  # somebody else's address: it must not become this person's
            properties["email"] = f"invited{self._chance.randrange(999)}@elsewhere.example"
        context: Body = {"traits": {"email": human.email}}
        if human.company:
            context["groupId"] = human.company.id
        who = {"userId": human.id, "anonymousId": self._browser(human)}
        self._spec("track", at, event=event, properties=properties, context=context, **who)

    def _change_company(self, human: _Human, company: _Company) -> None:
        human.company = company
        human.email = f"{_slug(human.first)}.{_slug(human.last)}@{company.domain}"
        human.facts["title"] = self._chance.choice(words.TITLES)
        self._introduce(human, self._moment(100, SPAN))

    # People without a company -------------------------------------------------------------------------------

    def _subscribe(self, number: int) -> None:
        """A newsletter subscriber; some of them sign up later, with the same e-mail and a user id."""
        human = self._human(after=self._moment(0, 90))
        browser = f"anon-news-{number}"
        traits = {"email": human.email, "newsletter": True, "channel": self._chance.choice(words.CHANNELS)}
        if number % 3:
            self._spec("identify", human.since, anonymousId=browser, traits=traits)
        else:
            self._flat("Send Contact", human.since, anonymous_id=browser, name=human.first, **traits)
        if number % 5 == 0:
            self._introduce(human, self._after(human.since))

    def _visit_and_sign_up(self, number: int, companies: list[_Company]) -> None:
        """A visitor whose clicks before the sign-up belong to the person they become."""
        human = self._human(after=self._moment(5, 100))
        browser, at = f"anon-visit-{number}", human.since
        for _ in range(self._chance.randrange(1, 4)):
            page = {"path": "/pricing", "referrer": self._chance.choice(words.CHANNELS)}
            self._spec("page", at, anonymousId=browser, name="Pricing", properties=page)
            at += self._chance.randrange(30, 4000) * SECOND
        known = {"firstChannel": self._chance.choice(words.CHANNELS)}
        self._spec("identify", at, anonymousId=browser, traits=known)
        if number % 4 == 3:
            return
        at = self._after(at)
        human.browsers = [browser]
        signed_up: Body = {"name": f"{human.first} {human.last}", "email": human.email, "trialDays": 14}
        self._spec("identify", at, userId=human.id, anonymousId=browser, traits=signed_up)
        if number % 2:
            company = self._chance.choice(companies)
            self._spec("group", self._after(at), userId=human.id, groupId=company.id, traits={})

    def _look_around(self, number: int) -> None:
        """Somebody who tells nothing: kept as a person, imported by no policy."""
        who = {"anonymousId": f"anon-passing-{number}"}
        at = self._moment(0, SPAN)
        self._spec("track", at, event="Document Opened", properties={"viaMobile": number % 2 == 0}, **who)

    def _say_nonsense(self) -> None:
        """What every real stream has too: ids that are none, odd times, calls that say nothing of anybody."""
        for number, junk in enumerate(words.JUNK_IDS * 3):
            at = self._moment(0, SPAN)
            self._spec("identify", at, userId=junk, traits={"plan": "pro"})
            self._spec("screen", at, userId=f"u_{5000 + number}", name="Home")
        for number in range(8):
            at = self._moment(0, SPAN)
            self._spec("alias", at, userId=f"u_{5000 + number}", previousId=f"anon-old-{number}")
            self._flat("Send Contact", at, email="nobody@elsewhere.example", first_name="Nobody")
            odd = {"email": "no address", "birthday": "yesterday", "tags": ["a", "b"]}
            self._spec("identify", at, userId=f"u_{5000 + number}", traits=odd, timestamp="soon")

    # The parts ----------------------------------------------------------------------------------------------

    def _human(self, *, after: int, company: _Company | None = None) -> _Human:
        self._number += 1
        first = self._chance.choice(words.FIRST_NAMES)
        last = self._chance.choice(words.LAST_NAMES)
        domain = company.domain if company else "mailbox.example"
        name = f"{_slug(first)}.{_slug(last)}" + ("" if company else str(self._number))
        facts: Body = {"title": self._chance.choice(words.TITLES)} if company else {}
        if self._chance.random() < 0.4:
            facts["phone"] = f"+49 30 555{self._chance.randrange(10_000):04}"
        if self._chance.random() < 0.25:
            facts["linkedIn"] = f"https://www.linkedin.com/in/{_slug(first)}-{_slug(last)}-{self._number}"
        if self._chance.random() < 0.6:
            facts |= {
                "signedUpAt": iso(after),
                "loginCount": self._chance.randrange(400),
                "nps": self._chance.choice((6, 7, 8.5, 9, 9.5, 10)),
                "beta": self._chance.random() < 0.2,
                "favouriteColour": self._chance.choice(("blue", "green", 7)),
            }
        human = _Human(f"u_{5000 + self._number}", first, last, f"{name}@{domain}", after, company)
        human.facts = facts
        return human

    def _browser(self, human: _Human) -> str:
        if not human.browsers or self._chance.random() < 0.1:
            human.browsers.append(f"anon-{human.id}-{len(human.browsers)}")
        return human.browsers[-1]

    def _moment(self, first: int, last: int) -> int:
        """An instant between two days of the demo, to the millisecond."""
        return self._start + self._chance.randrange(first * DAY, last * DAY, 1000)

    def _after(self, at: int) -> int:
        """An instant between that one and the end."""
        end = self._start + SPAN * DAY
        return at + self._chance.randrange(0, max(1000, end - at), 1000)

    def _spec(self, type_: str, at: int, **fields: Any) -> None:
        time = fields.pop("timestamp", iso(at))
        context = {"library": {"name": "analytics.js"}} | fields.pop("context", {})
        body = {"type": type_, "messageId": self._message_id(), "timestamp": time, "sentAt": iso(at + SECOND)}
        self.events.append((at, body | fields | {"context": context, "integrations": {}}))

    def _flat(self, type_: str, at: int, **fields: Any) -> None:
        times = {"timestamp": iso(at), "sent_at": iso(at + SECOND)}
        self.events.append((at, {"type": type_, "message_id": self._message_id()} | times | fields))

    def _message_id(self) -> str:
        return f"demo-{self._seed}-{len(self.events):05}"


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ı", "i")).encode("ascii", "ignore")
    return re.sub(r"[^a-z]+", "", plain.decode().lower())
