"""Sends six calls with rudder-sdk-python, as an application does: `with_rudderstack.py HOST KEY [gzip]`.

Prints what the library says went wrong. It packs unless told not to.
"""

import sys
from datetime import UTC, datetime

from rudderstack.analytics.client import Client

host, key, *_ = sys.argv[1:]
client = Client(key, host=host, on_error=lambda error, _items: print(error))
at = datetime(2026, 9, 21, 10, tzinfo=UTC)
traits = {"email": "ada@example.com", "first_name": "Ada", "plan": "pro", "seats": 3}
client.identify("ada", traits, timestamp=at)
client.group(
    "ada", "acme", {"name": "Acme", "website": "https://acme.example", "employees": 12}, timestamp=at
)
client.track("ada", "Report Opened", {"report": "Weekly"}, timestamp=at)
client.page("ada", name="Pricing", timestamp=at)
client.screen("ada", name="Home", timestamp=at)
client.alias("anonymous-1", "ada", timestamp=at)
client.shutdown()
