"""What every page of ours keeps to, judged by a parser that we did not write: one heading, a language, a label on each
field, no name given twice, nothing that runs or styles inline."""

from collections import Counter
from itertools import pairwise

from lxml import html

from syncd.language import LANGUAGES

FIELDS = "//input[not(@type='hidden')] | //select | //textarea"


def faults(text: str) -> list[str]:
    """Return what is wrong with a page, in words; an empty list is praise."""
    page = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    return [*_frame(text, page), *_names(page), *_labels(page), *_forms(page), *_inline(page)]


def _frame(text: str, page: html.HtmlElement) -> list[str]:
    found = [] if text.startswith("<!doctype html>") else ["no doctype"]
    if page.get("lang") not in LANGUAGES:
        found.append(f"lang is {page.get('lang')!r}")
    headings = page.xpath("//h1")
    if len(headings) != 1 or not headings[0].text_content().strip():
        found.append(f"{len(headings)} main headings")
    if not (page.findtext(".//title") or "").strip():
        found.append("no title")
    levels = [int(one.tag[1]) for one in page.xpath("//h1 | //h2 | //h3 | //h4")]
    found += [f"h{lower} follows h{upper}" for upper, lower in pairwise(levels) if lower > upper + 1]
    return found


def _names(page: html.HtmlElement) -> list[str]:
    ids = Counter(page.xpath("//@id"))
    found = [f"id {name!r} stands {times} times" for name, times in ids.items() if times > 1]
    pointed = [
        name for one in page.xpath("//@aria-describedby | //@aria-labelledby | //label/@for") for name in one.split()
    ]
    return found + [f"{name!r} points nowhere" for name in pointed if name not in ids]


def _labels(page: html.HtmlElement) -> list[str]:
    labelled = set(page.xpath("//label/@for"))
    found = []
    for one in page.xpath(FIELDS):
        inside = one.xpath("ancestor::label[normalize-space()]")
        if not (inside or one.get("id") in labelled or one.get("aria-label") or one.get("aria-labelledby")):
            found.append(f"{one.tag} {one.get('name')!r} has no label")
    found += [f"image {one.get('src')!r} has no alt" for one in page.xpath("//img[not(@alt)]")]
    found += ["a button without words" for one in page.xpath("//button | //a") if not one.text_content().strip()]
    return found


def _forms(page: html.HtmlElement) -> list[str]:
    posted = page.xpath("//form[translate(@method, 'POST', 'post') = 'post']")
    return [
        f"form {one.get('id')!r} carries no token" for one in posted if not one.xpath(".//input[@name='form']/@value")
    ]


def _inline(page: html.HtmlElement) -> list[str]:
    found = ["inline style" for _ in page.xpath("//style | //*[@style]")]
    found += ["inline script" for _ in page.xpath("//script[not(@src)]")]
    found += [f"handler {name}" for one in page.iter() for name in one.attrib if name.lower().startswith("on")]
    addresses = page.xpath("//@href | //@src | //@action | //@formaction")
    return found + [
        f"leads to {one!r}" for one in addresses if one.strip().lower().startswith(("javascript:", "data:"))
    ]
