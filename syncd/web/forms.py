"""What a client's browser posts: read as plain form fields, and proved to come from a form of ours.

A form carries a token: who made it (a signature), for which page, when, and a number of its own. The number names
what the form does, so that a double click or the back button does it once.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from syncd.core import limits
from syncd.flows.context import Context
from syncd.web.bodies import read_body
from syncd.web.problems import Problem

FIELD = "form"  # the hidden field that carries the token
LASTS = timedelta(hours=12)
USUAL_PORT = {"https": ":443", "http": ":80"}
FORM_TYPE = "application/x-www-form-urlencoded"

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormToken:
    """A form that was handed out: `number` is its own, `made_at` when."""

    number: str
    made_at: datetime

    def fresh(self, now: datetime) -> bool:
        return self.made_at <= now < self.made_at + LASTS


def new_form(ctx: Context, path: str) -> str:
    """Return the token of a new form on the page with this path."""
    stem = f"{ctx.clock.new_id()}.{int(ctx.clock.now().timestamp())}"
    return f"{stem}.{_mark(ctx, path, stem)}"


def read_token(ctx: Context, path: str, given: str) -> FormToken | None:
    """Return what a form's token says, None where we did not make it for this page."""
    stem, _, mark = given.rpartition(".")
    number, _, made = stem.rpartition(".")
    right = hmac.compare_digest(_mark(ctx, path, stem).encode(), mark.encode(errors="replace"))
    if not right or not made.isdigit():
        return None
    return FormToken(number=number, made_at=datetime.fromtimestamp(int(made), UTC))


def _mark(ctx: Context, path: str, stem: str) -> str:
    return hmac.new(ctx.link_key(), f"form:{path}:{stem}".encode(errors="replace"), hashlib.sha256).hexdigest()


async def read_form(request: Request, seconds: float = limits.BODY_SECONDS) -> dict[str, str]:
    """Return the posted fields; of a repeated one the last. Raises Problem for anything that no form of ours sends."""
    body = await read_body(request.scope, request.receive, limits.FORM_BODY, seconds)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise Problem("unsupported-media-type", f"send {FORM_TYPE}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=limits.FORM_FIELDS,
        )
    except ValueError:
        raise Problem("malformed", "the form cannot be read") from None
    if any("\0" in text for pair in pairs for text in pair):
        raise Problem("malformed", "the form holds a NUL")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def from_our_page(ctx: Context, request: Request) -> bool:
    """Tell whether a post came from a page of ours, as far as the browser says.

    Our pages send no referrer, so browsers say `Origin: null` for them: then only `Sec-Fetch-Site` counts. A program
    that sends neither is no browser that somebody else's page could use.
    """
    site = request.headers.get("sec-fetch-site")
    origins = request.headers.getlist("origin")
    if (site is not None and site not in ("same-origin", "none")) or len(origins) > 1:
        return False
    origin = origins[0] if origins else "null"
    if origin == "null":
        return True
    return origin.lower() in (_origin(ctx.public_url), _origin(str(request.base_url)))


def _origin(url: str) -> str:
    """Return scheme and host of an address of ours, as browsers write them: without the scheme's own port."""
    parts = urlsplit(url.lower())
    return f"{parts.scheme}://{parts.netloc.removesuffix(USUAL_PORT.get(parts.scheme, ''))}"
