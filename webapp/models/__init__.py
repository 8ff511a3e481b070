"""Tables, and the verbs of one row. Importing this package makes every table known."""

from webapp.models.account import Invitation, Login, User
from webapp.models.api_key import ApiKey
from webapp.models.attribute import AttributeIndex, AttributeSighting, CustomAttribute
from webapp.models.audit import AuditLine
from webapp.models.automation import Automation, AutomationRun, FreeMailDomain, Match, MatchKey
from webapp.models.base import Base, now
from webapp.models.billing import MrrAdjustment, Plan, Subscription
from webapp.models.billing_file import BillingFile, RefusedRow
from webapp.models.customer import Contact, Customer, DataSourceCustomer
from webapp.models.event import Event
from webapp.models.hand import Edit, Note
from webapp.models.imports import Import, ImportFile, ImportProblem
from webapp.models.mapping import PathSighting
from webapp.models.merging import Decision, KeptUuid
from webapp.models.person import Company, Identifier, Person
from webapp.models.saved_view import SavedView
from webapp.models.search import SORTED
from webapp.models.source import Rejection, Source, Tally, WebhookUrl
from webapp.models.sync import Sync

__all__ = [
    "SORTED",
    "ApiKey",
    "AttributeIndex",
    "AttributeSighting",
    "AuditLine",
    "Automation",
    "AutomationRun",
    "Base",
    "BillingFile",
    "Company",
    "Contact",
    "CustomAttribute",
    "Customer",
    "DataSourceCustomer",
    "Decision",
    "Edit",
    "Event",
    "FreeMailDomain",
    "Identifier",
    "Import",
    "ImportFile",
    "ImportProblem",
    "Invitation",
    "KeptUuid",
    "Login",
    "Match",
    "MatchKey",
    "MrrAdjustment",
    "Note",
    "PathSighting",
    "Person",
    "Plan",
    "RefusedRow",
    "Rejection",
    "SavedView",
    "Source",
    "Subscription",
    "Sync",
    "Tally",
    "User",
    "WebhookUrl",
    "now",
]
