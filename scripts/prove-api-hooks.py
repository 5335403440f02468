"""What schemathesis is told about this service: the closed list of findings that are none, each with its reason.

`EXCEPTIONS` is all of it. Every use is counted by its name in the file that API_EXCEPTIONS names, so that
docs/reliability.md can say how often each was needed. Findings of other checks (server errors, undocumented statuses,
bodies and headers that differ from the document, ignored authentication, ...) have no exceptions.
"""

import collections
import json
import os
import re
import threading
import urllib.parse

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.jsonschema import make_validator
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData, UseAfterFree

SELF = os.environ.get("API_SELF", "").split(",")
USED = collections.Counter()
LOCK = threading.Lock()
# The paths of what was removed so far.
REMOVED = set()
OTHERS = (ParameterLocation.PATH, ParameterLocation.QUERY, ParameterLocation.HEADER)


def errors_of(response):
    """The error object of our envelope; nothing when the body is another."""
    try:
        return response.json()["error"]
    except (ValueError, TypeError, KeyError):
        return {}


def code_of(response):
    return errors_of(response).get("code", "")


def messages_of(response):
    """What a refusal says: of each field, or as a whole."""
    error = errors_of(response)
    fields = (error.get("details") or {}).get("errors") or []
    named = [f"{'.'.join(map(str, field.get('loc', [])))}: {field.get('msg')}" for field in fields if "loc" in field]
    return named or [error.get("message", "")]


# Requests that fit the document and are refused all the same: rules between fields, or between a request and what is
# stored, that no schema can say. (operations, status, code, what every message of the refusal must match)
RULES = [
    ("a key of an action was used with another body", r"^POST ", 422, "IDEMPOTENCY_KEY_REUSED", r""),
    ("the ticket or workflow is no longer the version of If-Match", r"", 412, "PRECONDITION_FAILED", r""),
    ("values break the rules of the ticket's own form", r"/api/v1/(tickets|change-requests)\b", 400,
     "VALIDATION_ERROR|TRANSITION_NOT_FOUND|MANAGER_NOT_FOUND|APPROVER_RESOLUTION_ERROR", r"^(?!body\.|query\.|path)"),
    ("a workflow that cannot be published", r"^POST .*/publish$", 400, "WORKFLOW_VALIDATION_ERROR", r""),
    ("a definition whose steps cannot be read", r"^PUT .*/draft$", 400, "WORKFLOW_VALIDATION_ERROR|VALIDATION_ERROR",
     r"^(?!body\.(definition|change_summary|expected_version): (Field|Input|length))"),
    ("a workflow without the version or form that is asked for", r"^GET .*/(initial-forms|consecutive-forms/\{step_id\})$",
     400, "VALIDATION_ERROR", r"never been published|no such version"),
    ("nobody takes away the own role, or the last one of its kind", r"^DELETE .*/admin/(admins|designers)/", 400,
     "VALIDATION_ERROR", r"own role|last super"),
    ("a person who has the role, or a higher one, already", r"^POST .*/admin/(admins|designers)$", 400,
     "VALIDATION_ERROR", r"already has (this|a higher) role"),
    ("a search of the audit trail without a ticket, a correlation or a month", r"^GET .*/admin/ticket-audit", 400,
     "VALIDATION_ERROR", r"name a ticket, a correlation id, or a range"),
    ("a grant of no persona", r"^POST .*/admin/user-access$", 400, "VALIDATION_ERROR", r"name at least one persona"),
    ("a wording without subject and body", r"^PUT .*/email-templates$", 400, "VALIDATION_ERROR",
     r"give a subject, a body or both"),
    ("a decision other than the one of the path", r"^POST .*/change-requests/.*/(approve|reject)$", 400,
     "VALIDATION_ERROR", r"^body\.action: Input should be (APPROVE|REJECT)$"),
    ("a file whose bytes, name or type are not taken", r"^POST .*/attachments/upload", 400,
     "ATTACHMENT_ERROR|INVALID_MIME_TYPE|VALIDATION_ERROR", r"^(?!query\.)"),
    ("a change of a file that changes nothing", r"^PATCH .*/attachments/", 400, "VALIDATION_ERROR",
     r"nothing is to be changed"),
    ("a file larger than administrators allow", r"^POST .*/attachments/upload", 413, "ATTACHMENT_TOO_LARGE", r""),
    ("a file without the bytes of Range", r"^GET .*/attachments/", 416, "", r""),
]


def breaks_a_rule(case, response):
    """The rule that a refused request breaks, if it is one of `RULES`."""
    for name, operations, status, code, message in RULES:
        if (response.status_code == status and re.search(operations, case.operation.label)
                and re.fullmatch(code, code_of(response))
                and all(re.search(message, text) for text in messages_of(response))):
            return name
    return None


def has_nul(value):
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(has_nul(key) or has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(has_nul(inner) for inner in value)


def names_nul(case, response):
    """NUL is in no text of a query or address; a pattern in each of them would say nothing to people."""
    if response.status_code == 400 and (has_nul(dict(case.query or {})) or has_nul(dict(case.path_parameters or {}))):
        return "NUL in a query or path"
    return None


TRUTHS = {"true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"}


def leniently(schema, value, root, depth=0):
    """`value` as the contract reads it: whole numbers and truths may come as other spellings of themselves."""
    if depth > 20 or not isinstance(schema, dict):
        return value
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")] if isinstance(target, dict) and part in target else {}
        return leniently(target, value, root, depth + 1)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for part in schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
        value = leniently(part, value, root, depth + 1)
    if "boolean" in kinds and not isinstance(value, bool):
        if isinstance(value, (int, float)) and value in (0, 1):
            return bool(value)
        if isinstance(value, str) and value.strip().lower() in TRUTHS:
            return value.strip().lower() in {"true", "yes", "on", "y", "t", "1"}
    if "integer" in kinds and not isinstance(value, bool):
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+(\.0*)?\s*", value):
            return int(float(value))
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        return {name: leniently(schema["properties"].get(name, {}), inner, root, depth + 1)
                for name, inner in value.items()}
    if isinstance(value, list):
        return [leniently(schema.get("items", {}), inner, root, depth + 1) for inner in value]
    return value


def is_read_leniently(case, response):
    """Bodies that only a strict reader refuses: the contract (http-tickets 1.6) reads other spellings of numbers and
    truths, because the interface sends them."""
    if case.media_type != "application/json" or any(case.meta.is_negative_at(place) for place in OTHERS):
        return None
    alternative = case.operation.get_body_for_media_type(case.media_type)
    if alternative is None:
        return None
    schema = alternative.optimized_schema
    validator = make_validator(schema, case.operation.schema.adapter.jsonschema_validator_cls)
    read = leniently(schema, case.body, schema)
    is_other = json.dumps(read, default=str) != json.dumps(case.body, default=str)
    return "another spelling of a number or truth" if is_other and validator.is_valid(read) else None


def is_a_file_after_all(case, response):
    """A part of a form is bytes, whatever it was made of."""
    if case.media_type != "multipart/form-data" or any(case.meta.is_negative_at(place) for place in OTHERS):
        return None
    has_file = isinstance(case.body, dict) and ("file" in case.body or "files" in case.body)
    return "any value is the bytes of a file" if has_file else None


def path_of(response):
    return urllib.parse.urlsplit(response.request.url).path


def was_removed_before(case, response):
    """A chain is tried several times with the same keys, so it may remove what it has created the time before: the
    repeat of the creation is answered as it was the first time (design 8), and what it names is gone."""
    path = path_of(response)
    is_gone = any(path == removed or path.startswith(f"{removed}/") for removed in REMOVED)
    return "the repeat of a creation whose outcome was removed since" if is_gone else None


def says_that_nothing_is_there(case, response):
    """Whether somebody has personas is answered for every address (contract http-admin-notifications 7)."""
    is_asked = case.operation.label == "GET /api/v1/admin/user-access/{email}"
    is_none = response.status_code == 200 and response.json() == {"has_access": False, "user_access": None}
    return "an address without personas is answered that it has none" if is_asked and is_none else None


EXCEPTIONS = [
    (RejectedPositiveData, breaks_a_rule),
    (RejectedPositiveData, names_nul),
    (AcceptedNegativeData, is_read_leniently),
    (AcceptedNegativeData, is_a_file_after_all),
    (EnsureResourceAvailability, was_removed_before),
    (UseAfterFree, says_that_nothing_is_there),
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a finding is one."""
    for kind, exception in EXCEPTIONS:
        name = exception(case, response) if isinstance(failure, kind) else None
        if name:
            with LOCK:
                USED[name] += 1
                with open(os.environ["API_EXCEPTIONS"], "w", encoding="utf-8") as file:
                    json.dump(USED, file)
            return False
    return True


@schemathesis.hook
def after_call(context, case, response):
    if case.method.upper() == "DELETE" and response.status_code < 300:
        with LOCK:
            REMOVED.add(path_of(response))


# The caller must not lose the own rights on the way: what would take them away is aimed at a person who has none.

@schemathesis.hook
def before_call(context, case, kwargs):
    def is_own(address):
        return bool(address) and urllib.parse.unquote(str(address)).strip().lower() in SELF
    if case.path_parameters and is_own(case.path_parameters.get("email", "")):
        case.path_parameters["email"] = "chloe.martin@example.com"
    if isinstance(case.body, dict) and is_own(case.body.get("email", "")):
        case.body["email"] = "chloe.martin@example.com"
