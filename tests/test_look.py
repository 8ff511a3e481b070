"""What every page is made of: filters, the pinned script, the sprite, the policy on inline code."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask, render_template, render_template_string

from webapp.config import Settings
from webapp.views import filters

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SECOND = 1_000_000
NOON = 1_795_521_600 * SECOND  # 24 Nov 2026, 12:00 UTC


@pytest.fixture
def page(tmp_path: Path) -> Flask:
    """An application with nothing but the filters and the components."""
    app = Flask("look", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.extensions["settings"] = Settings(data_dir=tmp_path, database_url="sqlite://", brand_name="Acme CRM")
    app.jinja_env.globals["csrf_token"] = lambda: "a token"
    filters.register(app)
    return app


def render(app: Flask, imports: str, body: str, **values: object) -> str:
    with app.test_request_context():
        return render_template_string(f"{{% from {imports} %}}{body}", **values)


def test_the_kept_htmx_is_the_one_that_the_page_asks_for():
    """A browser runs the CDN's file only when its hash is this one; ours is the same file."""
    kept = (ROOT / "static/vendor/htmx-2.0.11.min.js").read_bytes()
    digest = base64.b64encode(hashlib.sha384(kept).digest()).decode()
    assert f'integrity="sha384-{digest}"' in (ROOT / "templates/_head.html").read_text()


def test_every_icon_that_a_template_names_is_in_the_sprite():
    """A misspelt name would show an empty square and nothing would complain."""
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))
    named = re.compile(r'icon(?:_name=|\()"([a-z0-9-]+)"')
    for template in TEMPLATES:
        missing = set(named.findall(template.read_text())) - sprite
        assert not missing, f"{template.name} names {missing}"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_inline_script_style_or_handlers(template: Path):
    """The content security policy has no unsafe-inline, so such code would silently not run."""
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|hx-vals=.js:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (12, "12s ago"),
        (23 * 60, "23m ago"),
        (3600, "1h ago"),
        (3 * 86_400, "3d ago"),
        (-7200, "in 2h"),
    ],
)
def test_how_long_ago_is_written_shortly(seconds: int, text: str):
    """Tables are dense; the exact instant is a hover away."""
    assert filters.ago(NOON - seconds * SECOND, NOON) == text


def test_instants_are_written_to_the_second_for_people_and_exactly_for_machines():
    """People need a zone beside a time, machines every microsecond, both for any year a clock can tell."""
    assert filters.exact(NOON) == "24 Nov 2026, 12:00:00 UTC"
    assert filters.iso(NOON) == "2026-11-24T12:00:00Z"
    assert filters.iso(NOON + 5) == "2026-11-24T12:00:00.000005Z"
    assert filters.iso(-62_135_596_800 * SECOND) == "0001-01-01T00:00:00Z"
    assert filters.exact(253_402_300_799 * SECOND) == "31 Dec 9999, 23:59:59 UTC"


def test_numbers_agree_with_their_noun():
    """`1 contacts` reads like a machine."""
    assert filters.counted(1, "contact") == "1 contact"
    assert filters.counted(18_204, "contact") == "18,204 contacts"
    assert filters.counted(0, "company", "companies") == "0 companies"


def test_a_hundred_percent_means_done():
    """A bar that says 100 % while it runs on is not believed the next time."""
    assert filters.percent(11_999, 12_000) == 99
    assert filters.percent(12_000, 12_000) == 100
    assert filters.percent(0, 0) == 100


@pytest.mark.parametrize(
    ("told", "link"),
    [
        ("acme.com/about", "https://acme.com/about"),
        ("http://acme.com", "http://acme.com"),
        ("HTTPS://acme.com", "HTTPS://acme.com"),
        ("javascript:alert(1)//x.y", None),
        ("data:text/html,x.y", None),
        ("java\nscript:alert(1)", None),
        ("https://", None),
        ("http://[bad", None),
        ("not a site", None),
        (None, None),
    ],
)
def test_only_web_addresses_become_links(told: str | None, link: str | None):
    """What Segment says of a website is a stranger's text; a click on it must not run anything."""
    assert filters.weblink(told) == link


def test_attributes_given_to_a_macro_are_escaped():
    """A name with a quote in it must not end the attribute it stands in."""
    assert filters.attrs({"hx_get": '/x?a="b"&c', "hidden": True, "title": None, "open": False}) == (
        ' hx-get="/x?a=&#34;b&#34;&amp;c" hidden'
    )


def test_an_error_stands_beside_its_field_and_is_read_with_it(page: Flask):
    """A screen reader says the error when the field gets the focus."""
    html = render(
        page,
        '"_components/forms.html" import field',
        '{{ field("name", "Name", told, error="Give this source a name.", hint="Up to 80 letters.") }}',
        told='"><b>',
    )
    assert 'aria-invalid="true" aria-describedby="name-error name-hint"' in html
    assert 'id="name-error">Give this source a name.' in html
    assert 'value="&#34;&gt;&lt;b&gt;"' in html


def test_a_sorted_column_says_so(page: Flask):
    """`aria-sort` is how a table tells which way it is sorted to those who do not see the arrow."""
    html = render(
        page, '"_components/tables.html" import sort_header', '{{ sort_header("Name", "/x", "descending") }}'
    )
    assert 'scope="col"' in html
    assert 'aria-sort="descending"' in html


@pytest.mark.parametrize("code", [400, 403, 404, 405, 413, 422, 429, 500, 503])
def test_error_pages_speak_plainly_and_need_neither_user_nor_database(page: Flask, code: int):
    """The page that says that the database is away cannot ask the database who is signed in."""
    with page.test_request_context("/anything"):
        html = render_template(f"errors/{code}.html")
    assert f"Error {code}" in html
    assert "Acme CRM" in html
    assert html.count('class="soft"') >= 2
