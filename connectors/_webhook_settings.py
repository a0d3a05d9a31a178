"""What the configuration says about a scheduler that only sends webhooks: a mapping, with a preset under it."""

from typing import Any, Literal, Self
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, model_validator

from connectors._webhook_parts import (
    Answers,
    Auth,
    Booking,
    Cancel,
    ContactPaths,
    Event,
    Fetch,
    Link,
    Poll,
    Size,
    Status,
)
from connectors._webhook_presets import merged


class WebhookSettings(BaseModel):
    """One account at such a scheduler."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    preset: str | None = None
    encoding: Literal["json", "form"] = "json"
    max_body: Size = 256 * 2**10
    auth: Auth
    event: Event
    booking: Booking
    status: Status = Status()
    contact: ContactPaths = ContactPaths()
    answers: Answers = Answers()
    fetch: Fetch | None = None
    poll: Poll | None = None
    cancel: Cancel | None = None
    link: Link = Link()
    links: dict[str, dict[str, str]] = {}
    sample: str | None = None
    api_url: str = ""
    allow_http: bool = False
    allow_private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _over_its_preset(cls, raw: Any) -> Any:
        return merged(raw)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        host = self.booking.host
        if host is not None and host.link is not None and host.link not in self.links:
            raise ValueError(f"booking.host.link names no table of links; write [accounts.….links.{host.link}]")
        if self.auth.mode == "none" and self.fetch is None:
            raise ValueError(
                "an unsigned call only says where to look: it needs [fetch], which reads the booking again"
            )
        if self.fetch is None and not self._tells_time:
            raise ValueError("needs booking.start with booking.end or booking.duration, or [fetch] to read them")
        if self.poll is not None and self.fetch is None:
            raise ValueError("poll lists bookings in the shape that [fetch] reads; write that as well")
        return self._one_origin()

    @property
    def _tells_time(self) -> bool:
        return bool(self.booking.start and (self.booking.end or self.booking.duration))

    def _one_origin(self) -> Self:
        asked = [self.fetch.url if self.fetch else "", self.cancel.url if self.cancel else ""]
        asked += self.poll.urls if self.poll else []
        whole = [urljoin(self.base, one) if self.base else one for one in asked if one]
        origins = {(parts.scheme, parts.netloc) for parts in map(urlsplit, whole)}
        if any(scheme not in ("https", "http") or not netloc for scheme, netloc in origins):
            raise ValueError("api_url is missing: write the address of the scheduler's API, https://…")
        if len(origins) > 1:
            raise ValueError("fetch, poll and cancel should ask one and the same server")
        return self

    @property
    def base(self) -> str:
        """The address that relative ones count from."""
        if self.api_url:
            return self.api_url.rstrip("/") + "/"
        parts = urlsplit(self.fetch.url) if self.fetch else None
        return f"{parts.scheme}://{parts.netloc}/" if parts is not None and parts.netloc else ""
