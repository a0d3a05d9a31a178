"""How often one address, or one link from it, may act: so that nobody guesses links, and nobody floods an agency.

A right link is always shown, whatever others at the same address do: only posts, and guesses, are held up.
"""

import hashlib

from starlette.requests import Request

from syncd.clock import Clock
from syncd.web.auth import Limiter, client_of
from syncd.web.problems import Problem

WRONG_LINKS = 20  # a minute and address, before it is told to wait
POSTS_OF_ADDRESS = 600  # a minute: a proxy that hides who calls makes one address of everybody
POSTS_OF_LINK = 30  # a minute and address


class Brake:
    """Counts guesses and posts for the pages of clients; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._wrong = Limiter(clock, WRONG_LINKS, 60)
        self._addresses = Limiter(clock, POSTS_OF_ADDRESS, 60)
        self._links = Limiter(clock, POSTS_OF_LINK, 60)

    def enter(self, request: Request, link: str) -> None:
        """Count a post and let it in, or raise Problem `rate-limited`; whoever only looks is let in."""
        if request.method != "POST":
            return
        address = client_of(request)
        name = _name(f"{address} {link}")  # a public page is one link to everybody: nobody closes it for others
        wait = max(self._addresses.wait(address), self._links.wait(name))
        if wait:
            raise too_many(wait)
        self._addresses.failed(address)
        self._links.failed(name)

    def wrong_link(self, request: Request) -> int:
        """Count a guess; return the seconds its address must wait, 0 where it made few."""
        wait = self._wrong.wait(client_of(request))
        if not wait:
            self._wrong.failed(client_of(request))
        return wait


def too_many(wait: int) -> Problem:
    return Problem("rate-limited", f"try again in {wait} seconds", headers={"Retry-After": str(wait)})


def _name(link: str) -> str:
    """Return what stands for a link here: short whatever was sent, and no key to anything."""
    return hashlib.sha256(link.encode("utf-8", "replace")).hexdigest()
