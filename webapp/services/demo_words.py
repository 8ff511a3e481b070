"""Words that the demo's companies and people are made of; all its addresses end in `.example`."""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = """
    Ada Amir Anja Anouk Arjun Beatriz Björn Bruno Camille Chidi Chiara Daria Dmitri Elena Elif Emeka Emma
    Farid Fatima Felix Freja Gaëlle Giulia Grace Hana Henrik Hugo Ines Ingrid Ivan Jana Jonas Joon Jürgen
    Kaito Karim Katarzyna Kofi Lars Layla Leila Liam Linh Lucía Maja Malik Marek Marta Mateo Mei Mika
    Milan Nadia Naomi Nils Noor Olga Omar Oskar Paolo Petra Priya Rafael Renata Rosa Sana Sara Selin
    Siobhán Sofia Sven Tariq Thandi Thomas Tomás Uma Vera Viktor Wanjiru Xavier Yara Yuki Yusuf Zofia Zoë
""".split()  # noqa: SIM905  a list of quoted names reads badly

LAST_NAMES: Final = """
    Almeida Andersen Bakker Barbosa Becker Bianchi Boateng Brandt Carvalho Chen Costa Dahl Demir Diallo
    Dubois Durand Eriksson Fernández Ferrari Fischer Fontaine García Gruber Haddad Hansen Hoffmann Horvat
    Ibrahim Ivanova Jansen Johansson Kaya Keller Kim Kowalski Larsen Laurent Lehmann Lindqvist López
    Marín Martin Mensah Meyer Moreau Müller Murphy Nair Nakamura Ndiaye Novák Nowak Nwosu Okafor Oliveira
    Olsen Park Patel Pereira Petrov Quinn Ricci Rossi Santos Sato Schneider Sharma Silva Smith Sørensen
    Suzuki Tanaka Torres Tóth Urban Varga Vogel Weber Wójcik Yamamoto Yılmaz Zhang Zimmermann
""".split()  # noqa: SIM905  a list of quoted names reads badly

COMPANIES: Final = (
    "Alder & Finch",
    "Amber Logistics",
    "Aurora Diagnostics",
    "Birch Analytics",
    "Blue Heron Media",
    "Brightwater Energy",
    "Café Lumière",
    "Cobalt Robotics",
    "Copperline Payments",
    "Crescent Foods",
    "Driftwood Travel",
    "Elm Street Clinics",
    "Ember Studios",
    "Fernweh Reisen",
    "Fjord Shipping",
    "Foxglove Pharma",
    "Granite Insurance",
    "Harbour & Sons",
    "Helix Genomics",
    "Hummingbird Learning",
    "Indigo Textiles",
    "Juniper Legal",
    "Kestrel Aerospace",
    "Lantern Security",
    "Larkspur Hotels",
    "Lemonwood Kitchens",
    "Marlin Fisheries",
    "Meridian Maps",
    "Mosaic Housing",
    "Nimbus Weather",
    "North Pier Coffee",
    "Obsidian Games",
    "Orchard Payroll",
    "Pebble Banking",
    "Quarry Building Supplies",
    "Riverbend Schools",
    "Saffron Market",
    "Slate Publishing",
    "Sundial Solar",
    "Tandem Cycles",
    "Thistle Wool",
    "Umbra Optics",
    "Vantage Recruiting",
    "Willow Care",
    "Yarrow Gardens",
    "Zephyr Wind",
)

# City, region, postal code, and the country in the many ways in which people tell it.
PLACES: Final = (
    ("Lisbon", "", "1100-148", "Portugal"),
    ("Berlin", "BE", "10115", "DE"),
    ("Lyon", "ARA", "69001", "fr"),
    ("Toronto", "ON", "M5H 2N2", "CAN"),
    ("Osaka", "Osaka", "530-0001", "Japan"),
    ("São Paulo", "SP", "01310-100", "BR"),
    ("Manchester", "", "M1 1AE", "UK"),
    ("Austin", "TX", "78701", "United States"),
    ("Nairobi", "", "00100", "Kenya"),
    ("Gothenburg", "", "411 03", "SWE"),
    ("Kraków", "", "30-001", "poland"),
    ("Melbourne", "VIC", "3000", "AU"),
)

TITLES: Final = (
    "Founder",
    "CFO",
    "Head of Growth",
    "Product Manager",
    "Data Engineer",
    "Support Lead",
    "Accountant",
    "Marketing Manager",
    "Operations",
    "CTO",
)

PLANS: Final = ("free", "starter", "pro", "scale")
INDUSTRIES: Final = ("software", "health", "retail", "travel", "finance", "education", "manufacturing")
EVENTS: Final = (
    "Signed In",
    "Report Exported",
    "Invite Sent",
    "Dashboard Shared",
    "Trial Started",
    "Plan Upgraded",
    "Integration Connected",
    "Document Opened",
)
CHANNELS: Final = ("organic", "newsletter", "podcast", "conference", "partner")
JUNK_IDS: Final = ("undefined", "null", "anonymous", "[object Object]", "0", "NaN")
