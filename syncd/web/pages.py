"""Pages for clients: a link is looked at, a form is read, a function answers, in the reader's language.

GET and HEAD show; only POST acts, and only with a form of ours (forms.py). A link that is unknown, expired or
superseded opens one and the same page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from syncd.core import limits
from syncd.flows.context import Context
from syncd.flows.links import Purpose
from syncd.ical import visible
from syncd.language import LANGUAGES, Language, language_of
from syncd.web.brake import Brake, too_many
from syncd.web.broken import broken
from syncd.web.forms import FIELD, FormToken, from_our_page, new_form, read_form, read_token
from syncd.web.problems import Problem, of_http

TEMPLATES = Path(__file__).parent / "templates"


class Gone(Exception):
    """The link opens nothing: unknown, expired, superseded, or somebody else's."""


class Foreign(Exception):
    """The form was posted from a page that is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call of a page. `fields` and `form` are what was posted; `form` is None where it is no form of ours, or
    too old: then show the page again, with what was typed."""

    ctx: Context
    request: Request
    language: Language
    now: datetime
    fields: Mapping[str, str] = field(default_factory=dict)
    form: FormToken | None = None

    @property
    def token(self) -> str:
        return str(self.request.path_params["token"])

    @property
    def posted(self) -> bool:
        return self.request.method == "POST"

    def page(self, template: str, status: int = 200, *, path: str | None = None, **values: Any) -> Response:
        """Return a page; templates know `language`, `form` (the hidden field) and `here` (the page's own address).

        `path` is the page's own where it answers a post to another one: its forms and languages lead there.
        """
        own = path or self.request.url.path
        hidden = {"name": FIELD, "value": new_form(self.ctx, own)}
        return _html(template, self.language, status, form=hidden, here=self._in_language(own), **values)

    @property
    def here(self) -> str:
        """Return the page's own path, in the language that was chosen on it."""
        return self._in_language(self.request.url.path)

    def _in_language(self, path: str) -> str:
        chosen = self.request.query_params.get("lang")
        return path + (f"?lang={chosen}" if chosen in LANGUAGES else "")


Answer = Callable[[Asked], Response]


class Pages:
    """Makes the routes of clients' pages; `ctx` is asked on every request, so a reload is seen."""

    def __init__(self, ctx: Callable[[], Context], body_seconds: float = limits.BODY_SECONDS) -> None:
        self._ctx = ctx
        self._brake = Brake(ctx().clock)
        self._body_seconds = body_seconds

    def route(self, path: str, answer: Answer, methods: tuple[str, ...] = ("GET", "POST")) -> Route:
        """Return the route of one page; its path names `{token}`."""
        return Route(path, partial(self._serve, answer), methods=list(methods))

    def dead_ends(self) -> list[Route]:
        """Return the routes of links with something behind the token, as a slash: they open nothing, in words."""
        return [self.route(f"/{one.value}/{{token:path}}", _opens_nothing) for one in Purpose]

    async def _serve(self, answer: Answer, request: Request) -> Response:
        ctx = self._ctx()
        language = _language(request, ctx.locale)
        try:
            return await self._answer(answer, request, ctx, language)
        except Gone:
            return self._gone(request, language)
        except Foreign:
            return _html("refused.html", language, 403, kind="foreign", status=403)
        except ClientDisconnect:
            raise
        except HTTPException as error:
            return _refusal(language, of_http(error))
        except Exception as error:  # noqa: BLE001 - the web boundary: a client sees words, never a stack
            return _refusal(language, broken(error, ctx.clock))

    def _gone(self, request: Request, language: Language) -> Response:
        wait = self._brake.wrong_link(request)
        return _refusal(language, too_many(wait)) if wait else _html("gone.html", language, 404)

    async def _answer(self, answer: Answer, request: Request, ctx: Context, language: Language) -> Response:
        self._brake.enter(request, request.path_params["token"])
        asked = Asked(ctx=ctx, request=request, language=language, now=ctx.clock.now())
        if not asked.posted:
            return await run_in_threadpool(answer, asked)
        fields = await read_form(request, self._body_seconds)
        if not from_our_page(ctx, request):
            raise Foreign
        token = read_token(ctx, request.url.path, fields.get(FIELD, ""))
        fresh = token if token is not None and token.fresh(asked.now) else None
        return await run_in_threadpool(
            answer, Asked(ctx=ctx, request=request, language=language, now=asked.now, fields=fields, form=fresh)
        )


def _opens_nothing(_asked: Asked) -> Response:
    raise Gone


def _language(request: Request, locale: str) -> Language:
    """Return the language chosen on the page, else the one the browser likes best."""
    chosen = request.query_params.get("lang")
    return language_of(chosen if chosen in LANGUAGES else request.headers.get("accept-language"), locale)


def _refusal(language: Language, problem: Problem) -> Response:
    """Return a page that says why there is nothing to see."""
    found = _html("refused.html", language, problem.status_code, kind=problem.kind, status=problem.status_code)
    found.headers.update(problem.headers or {})
    return found


def _html(template: str, language: Language, code: int, /, **values: Any) -> Response:
    headers = {"Content-Language": language.code}
    return HTMLResponse(render(template, language, **values), status_code=code, headers=headers)


def render(template: str, language: Language, **values: Any) -> str:
    """Return a page's text; every value in it is escaped, and turns no reading direction (H65)."""
    page = _environment(language).get_template(template)
    return visible(page.render(language=language, languages=LANGUAGES, **values))


@cache
def _environment(language: Language) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(language.raw, language.raw_several, newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "day": language.day,
        "short_day": language.short_day,
        "clock": language.time,
        "city": language.city,
    }
    return made
