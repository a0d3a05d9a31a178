"""How often one address, or one link, may act: so that nobody guesses links, and nobody floods an agency."""

from starlette.requests import Request

from syncd.clock import Clock
from syncd.web.auth import Limiter, client_of
from syncd.web.problems import Problem

WRONG_LINKS = 20  # a minute and address, before its further guesses are no longer looked at
POSTS_OF_ADDRESS = 600  # a minute: a proxy that hides who calls makes one address of everybody
POSTS_OF_LINK = 30  # a minute


class Brake:
    """Counts guesses and posts for the pages of clients; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._wrong = Limiter(clock, WRONG_LINKS, 60)
        self._addresses = Limiter(clock, POSTS_OF_ADDRESS, 60)
        self._links = Limiter(clock, POSTS_OF_LINK, 60)

    def enter(self, request: Request, link: str) -> None:
        """Let a call in, or raise Problem `rate-limited`; a post is counted."""
        _stop(self._wrong.wait(client_of(request)))
        if request.method != "POST":
            return
        _stop(self._addresses.wait(client_of(request)))
        _stop(self._links.wait(link))
        self._addresses.failed(client_of(request))
        self._links.failed(link)

    def wrong_link(self, request: Request) -> None:
        self._wrong.failed(client_of(request))


def _stop(wait: int) -> None:
    if wait:
        raise Problem("rate-limited", f"try again in {wait} seconds", headers={"Retry-After": str(wait)})
