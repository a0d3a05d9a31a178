"""A client at a page: reads forms and texts as a browser shows them, and sends them back. Runs no script."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

TIMEOUT = 20


@dataclass
class Form:
    """One form of a page: where it goes, and every field with the value it would send."""

    id: str
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)  # of radio buttons
    buttons: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self.links: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.whole: list[str] = []
        self._form: Form | None = None
        self._inside: list[tuple[str, str | None]] = []
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in ("input", "meta", "link", "br", "img"):
            self._inside.append((tag, given.get("id")))
        if tag == "a":
            self.links[given.get("id") or given.get("href", "")] = given.get("href", "")
        if tag == "form":
            self._form = Form(given.get("id", ""), given.get("action", ""), given.get("method", "get"))
            self.forms[self._form.id] = self._form
        if self._form is not None:
            self._field(self._form, tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and given.get("type") == "radio":
            form.choices.setdefault(name, []).append(given["value"])
            if "checked" in given:
                form.fields[name] = given["value"]
        elif tag == "input":
            form.fields[name] = given.get("value", "")
        elif tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif tag == "button" and name:
            form.buttons[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.whole.append(data)
        if self._area is not None and self._form is not None:
            self._form.fields[self._area] += data
        for _, name in self._inside:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop()[0] != tag:
            continue
        if tag == "form":
            self._form = None
        if tag == "textarea":
            self._area = None


class Page:
    """What came back: its status, forms by id, links by id, and the text inside every element that has an id."""

    def __init__(self, visitor: "Visitor", answer: requests.Response) -> None:
        reader = _Reader()
        reader.feed(answer.text)
        self.visitor, self.answer = visitor, answer
        self.status, self.url = answer.status_code, answer.url
        self.forms, self.links = reader.forms, reader.links
        self.texts = {name: " ".join(text.split()) for name, text in reader.texts.items()}
        self.text = " ".join(" ".join(reader.whole).split())

    def press(self, form: str, **fields: str) -> "Page":
        """Send one of its forms, with some fields filled in."""
        found = self.forms[form]
        return self.visitor.post(urljoin(self.url, found.action), found.fields | found.buttons | fields)

    def follow(self, link: str) -> "Page":
        return self.visitor.get(urljoin(self.url, self.links[link]))


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, language: str = "en") -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept-Language"] = language

    def get(self, url: str) -> Page:
        return Page(self, self._session.get(url, timeout=TIMEOUT))

    def post(self, url: str, fields: dict[str, str], **headers: str) -> Page:
        return Page(self, self._session.post(url, data=fields, headers=headers, timeout=TIMEOUT))

    def fetch(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send something that no page is expected from."""
        return self._session.request(method, url, timeout=TIMEOUT, **options)

    def close(self) -> None:
        self._session.close()
