"""A page that only tells what it heard, served behind the whole edge: for what is true of every page of clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from fastapi import FastAPI
from starlette.responses import JSONResponse, Response
from starlette.routing import Router

from syncd.flows.context import Context
from syncd.flows.links import Purpose, find_subject, make_link, renew_link
from syncd.web.app import Edge
from syncd.web.forms import FIELD, new_form
from syncd.web.pages import Asked, Gone, Pages
from tests.web.raw import serving
from tests.web.stage import staged
from tests.world.clock import VirtualClock

TIMEOUT = 20
WEEK = timedelta(days=7)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Doorway:
    """The running page, and what was done on it."""

    ctx: Context
    clock: VirtualClock
    session: requests.Session
    address: tuple[str, int] = ("", 0)
    done: list[str] = field(default_factory=list)  # the number of every form of ours that came in time

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    def answer(self, asked: Asked) -> Response:
        with self.ctx.store.read() as tx:
            subject = find_subject(self.ctx, tx, Purpose.BOOK, asked.token, asked.now)
        if subject is None:
            raise Gone
        if not asked.posted:
            return asked.page("base.html")
        if asked.form is not None:
            self.done.append(asked.form.number)
        number = asked.form.number if asked.form is not None else None
        return JSONResponse({"form": number, "fields": dict(asked.fields), "subject": subject})

    # links

    def link(
        self, subject: str, purpose: Purpose = Purpose.BOOK, *, renew: bool = False, lasts: timedelta = WEEK
    ) -> str:
        """Return the path of a subject's link."""
        make = renew_link if renew else make_link
        end = self.clock.now() + lasts
        return self.ctx.store.write(lambda tx: make(self.ctx, tx, purpose, subject, end)).removeprefix(
            self.ctx.public_url
        )

    def form(self, path: str) -> str:
        return new_form(self.ctx, path)

    # calls

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(self.url + path, headers=headers, timeout=TIMEOUT)

    def post(self, path: str, fields: Any = None, **headers: str) -> requests.Response:
        """Post fields, with a token of ours unless `fields` is text or brings its own."""
        body = {FIELD: self.form(path), **(fields or {})} if fields is None or isinstance(fields, dict) else fields
        kind = {"Content-Type": FORM} if isinstance(body, str | bytes) else {}
        return self.session.post(self.url + path, data=body, headers=kind | headers, timeout=TIMEOUT)


@contextmanager
def doorway(folder: Path) -> Iterator[Doorway]:
    with staged(folder) as stage:
        found = Doorway(stage.ctx, stage.clock, stage.session)
        pages = Pages(lambda: stage.ctx)
        router = Router([pages.route("/b/{token}", found.answer), *pages.dead_ends()], redirect_slashes=False)
        with serving(Edge(router, lambda: stage.ctx, FastAPI())) as server:
            found.address = server.address
            yield found
