"""Takes the pictures in docs/images anew: `.venv/bin/python docs/take_screenshots.py`.

A Tributary of its own, with the demo's events, is photographed in Chromium. Needs what `make test` needs, and
`pngquant`, which makes the files small.
"""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.conftest import CHROMIUM, CHROMIUM_OPTIONS, free_port  # noqa: E402
from tests.history.support import calls, ndjson  # noqa: E402
from webapp.services.demo_words import FIRST_NAMES, LAST_NAMES  # noqa: E402

MAIL, PASSWORD = "ada@tributary.example", "a picture says it all"
READERS = 40_000  # enough for a re-sync that takes a while
SCREEN, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@contextmanager
def tributary(folder: str) -> Iterator[str]:
    """A running Tributary with two sources and one administrator; its address."""
    port = str(free_port())
    env = os.environ | {"DATA_DIR": folder, "PORT": port, "ASSETS": "local"}
    env |= {"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "BRAND_NAME": ""}

    def run(words: str, *more: str, given: str = "") -> str:
        command = [sys.executable, "-m", *words.split(), *more]
        options = {"cwd": ROOT, "env": env, "text": True, "check": True, "stdout": subprocess.PIPE}
        return subprocess.run(command, input=given, **options).stdout

    run("jobs.up --prepare")
    run(f"flask --app wsgi user add --email {MAIL} --password-stdin", given=PASSWORD)
    run("flask --app wsgi demo --name", "Segment production")
    crowd = json.loads(run("flask --app wsgi source add --name Newsletter --policy company"))
    command = [sys.executable, "-m", "jobs.up"]
    up = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in up.stdout or () if "Tributary is up" in line)
        subscribe(crowd["webhook_url"])
        run("flask --app wsgi drain")
        yield f"http://127.0.0.1:{port}"
    finally:
        up.send_signal(signal.SIGINT)
        up.wait()


def subscribe(url: str) -> None:
    """Post the readers of the newsletter."""
    for start in range(0, READERS, 500):
        batch = []
        for number in range(start, start + 500):
            name = f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {LAST_NAMES[number // 7 % len(LAST_NAMES)]}"
            batch.append({"type": "identify", "userId": f"reader_{number}", "traits": {"name": name}})
        urlopen(Request(url, json.dumps(batch).encode()))


def photograph(page: Page, name: str) -> None:
    """Keep what the window shows as docs/images/<name>.png, small."""
    page.wait_for_timeout(600)  # for toasts, badges and counts to settle
    path = str(ROOT / "docs" / "images" / f"{name}.png")
    page.screenshot(path=path)
    subprocess.run(["pngquant", "--force", "--strip", "--output", path, path], check=True)


def tables(page: Page, account: str) -> None:
    """Filters, the columns to choose from, a customer: how one works with the tables of the account."""
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(SCREEN)
    shown = "c=name&c=country&c=contacts&c=custom.mrr&c=custom.renews_at"
    page.goto(f"{account}/customers?f=custom.plan:is:pro&f=contacts:greater:2&sort=-custom.mrr&{shown}")
    page.locator("summary", has_text="Filter").click()
    page.select_option("[name=field]", "custom.renews_at")
    page.select_option("[name=operator]", "before")
    photograph(page, "filters")
    page.goto(f"{account}/customers?c=name&c=country&c=custom.plan&c=custom.mrr&c=last_seen&sort=-custom.mrr")
    page.locator("summary", has_text="Columns").click()
    photograph(page, "columns")
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(f"{account}/customers?f=contacts:greater:3&sort=-contacts")
    page.locator("tr[data-href] th a").first.click()
    photograph(page, "customer")


def ways_in(page: Page, production: str) -> None:
    """What is in an archive and the choice of it, and where traits and properties go."""
    page.goto(production.replace("customers", "imports"))
    archive = gzip.compress(ndjson(calls(4000)))
    page.set_input_files(
        "[name=files]", {"name": "1767225600000.gz", "mimeType": "application/gzip", "buffer": archive}
    )
    page.get_by_role("button", name="Upload and look through").click()
    page.wait_for_selector("#import-preview", timeout=60_000)
    page.set_viewport_size({"width": 1280, "height": 1300})
    photograph(page, "import")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(production.replace("customers", "mapping"))
    photograph(page, "mapping")


def tour(page: Page, address: str) -> None:
    """Walk through the pages, and stop for a picture where something is to be seen."""
    page.goto(address + "/sign-in")
    page.fill("[name=email]", MAIL)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.goto(address + "/sources/new/segment")
    page.fill("[name=name]", "Segment staging")
    photograph(page, "add-source")
    page.click("#save")
    page.wait_for_selector("#webhook-url")
    page.set_viewport_size({"width": 1280, "height": 1000})
    photograph(page, "connect")
    page.set_viewport_size(SCREEN)
    page.goto(address + "/sources")
    rows = [page.locator("tr[data-href]", has_text=name) for name in ("Newsletter", "Segment production")]
    crowd, production = (address + str(row.get_attribute("data-href")) for row in rows)
    page.goto(production)
    for name, scheme, size in (("", "light", SCREEN), ("-dark", "dark", SCREEN), ("-phone", "light", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        photograph(page, f"customers{name}")
    tables(page, address)
    page.set_viewport_size(SCREEN)
    for tab in ("events", "settings"):
        page.goto(production.replace("customers", tab))
        photograph(page, tab)
    page.click("main a:has-text('Delete This Source')")
    page.wait_for_selector("#confirm-name")
    photograph(page, "delete")
    page.goto(production.replace("customers", "contacts") + "?size=100&f=custom.first_channel:filled")
    for path in page.eval_on_selector_all("tr[data-href]", "rows => rows.map(row => row.dataset.href)"):
        page.goto(address + path)
        if page.locator("#tied tbody tr").count() > 1:  # somebody who was an anonymous visitor first
            break
    page.set_viewport_size({"width": 1280, "height": 1000})
    photograph(page, "contact")
    ways_in(page, production)
    page.goto(crowd.replace("customers", "settings"))
    page.check("[name=policy][value=user]")
    page.click("text=Save changes")
    page.click("main form button:has-text('Re-sync')")
    page.wait_for_function("() => /[2-9][0-9] %/.test(document.getElementById('sync')?.innerText)")
    photograph(page, "resync")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, tributary(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        tour(browser.new_page(viewport=SCREEN), address)
        browser.close()
