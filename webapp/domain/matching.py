"""Matching: by what a customer of Segment and a customer of the billing system are taken for the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from webapp.domain.attributes import shown, type_of
from webapp.domain.text import folded

KEYS = {
    "email": "E-mail",
    "external_id": "External ID",
    "domain": "Website domain",
    "name": "Company name",
}
"""What a rule can match by, besides custom attributes (`custom.<key>`), as people call it."""

# Legal forms that companies bear behind their names in the countries of the most customers.
_LEGAL_FORMS = """
ab ag aps as asa bhd bv bvba co company corp corporation cv doo dd eg eirl ek eood ev gbr gesmbh gmbh inc
incorporated kft kg kgaa kk lda limited limitada llc llp lp ltd ltda mbh nv ohg oo ou oy oyj plc pte pty
pvt sa sab sarl sas sasu sc se sl slu snc spa spj spzoo sro srl sro tmi ug zoo zrt
"""
LEGAL_FORMS = frozenset(_LEGAL_FORMS.split())
_FREE_MAIL = """
163.com 126.com aim.com aol.com att.net bigpond.com bluewin.ch btinternet.com comcast.net cox.net
email.com fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com
hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it icloud.com interia.pl
laposte.net libero.it live.co.uk live.com live.fr live.nl mac.com mail.com mail.ru me.com msn.com
naver.com o2.pl online.de orange.fr outlook.com outlook.de outlook.fr pm.me proton.me protonmail.com
qq.com rediffmail.com rocketmail.com seznam.cz sfr.fr sina.com t-online.de telenet.be tutanota.com
verizon.net wanadoo.fr web.de wp.pl yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.br
yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru ymail.com zoho.com
"""
FREE_MAIL = tuple(_FREE_MAIL.split())
"""Domains at which anybody gets an address, so that they say nothing of a company. People edit the list."""
LONGEST = 512
"""Characters of a value that is compared; what is longer matches nothing."""

_PUNCTUATION = re.compile(r"[^\w]+")
_HOST = re.compile(r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a customer of Segment must be for a rule to look at it.

    Attributes:
        field: a standard attribute, or `custom.<key>`.
        operator: `is`, `is_not`, `contains`, `is_empty`, `is_not_empty`.
        value: to compare with, without case; empty for the last two.
    """

    field: str
    operator: str
    value: str = ""


OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "contains": "contains",
    "is_empty": "is empty",
    "is_not_empty": "is not empty",
}


def keys_of(
    external_id: str, told: Mapping[str, Any], kinds: Collection[str], free_mail: Collection[str]
) -> dict[str, str]:
    """What one customer can be matched by.

    Args:
        external_id: the source's name for it.
        told: what its source tells (`DataSourceCustomer.told`).
        kinds: of `KEYS`, or `custom.<key>`.
        free_mail: domains that never match.

    Returns:
        A comparable value for each kind of which the customer tells one.
    """
    found = {kind: _key(kind, external_id, told) for kind in kinds}
    if found.get("domain") in free_mail:
        del found["domain"]
    return {kind: value for kind, value in found.items() if value and len(value) <= LONGEST}


def _key(kind: str, external_id: str, told: Mapping[str, Any]) -> str:
    if kind == "external_id":
        return folded(external_id)
    if kind == "domain":
        return domain_of(told.get("website_url") or _behind_at(told.get("email")))
    if kind == "name":
        return company_name(told.get("company") or told.get("name") or "")
    if kind == "email":
        return (told.get("email") or "").strip().lower()
    return folded(_text(told, kind)).strip()


def domain_of(address: str | None) -> str:
    """The domain of a website as it is compared, without scheme, port and `www.`; empty if there is none."""
    text = (address or "").strip().lower()
    if not text:
        return ""
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        host = host.rstrip(".")
        host = host if host.isascii() else host.encode("idna").decode()
    except (ValueError, UnicodeError):
        return ""
    host = host.removeprefix("www.")
    return host if _HOST.match(host) and not host.replace(".", "").isdigit() else ""


def _behind_at(email: str | None) -> str | None:
    return email.rpartition("@")[2] if email and "@" in email else None


def company_name(name: str) -> str:
    """A company's name without case, accents, punctuation and legal form: `Acme, Inc.` is `acme`."""
    words = _PUNCTUATION.sub(" ", folded(name).replace(".", "").replace("'", "")).replace("_", " ").split()
    while len(words) > 1 and words[-1] in LEGAL_FORMS:  # `GmbH & Co. KG` goes word by word
        words.pop()
    return " ".join(words)


def meets(conditions: Sequence[Condition], external_id: str, told: Mapping[str, Any]) -> bool:
    """Whether a customer of Segment meets all conditions of a rule."""
    return all(_meets(each, external_id, told) for each in conditions)


def _meets(condition: Condition, external_id: str, told: Mapping[str, Any]) -> bool:
    value = folded(external_id if condition.field == "external_id" else _text(told, condition.field)).strip()
    wanted = folded(condition.value).strip()
    if condition.operator == "is_empty":
        return not value
    if condition.operator == "is_not_empty":
        return bool(value)
    if condition.operator == "contains":
        return wanted in value
    return (value == wanted) == (condition.operator == "is")


def _text(told: Mapping[str, Any], field: str) -> str:
    if not field.startswith("custom."):
        value = told.get(field)
        return "" if value is None else str(value)
    value = told.get("custom", {}).get(field.removeprefix("custom."))
    return "" if value is None else shown(value, type_of(value))
