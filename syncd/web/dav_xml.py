"""Reads XML for trouble before anybody reads it for meaning: no document type, UTF-8, well formed, not too deep."""

import re
from xml.parsers import expat  # safe here: a document type ends the reading before any entity is known

from syncd.web.problems import Problem

DEPTH = 32  # what clients send nests some ten levels
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_DECLARED = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([^"']*)""")
_BOM = b"\xef\xbb\xbf"


def refuse_strange_xml(content_type: str, body: bytes) -> None:
    """Raise Problem `malformed` for XML that is none of ours to read; an empty body is fine (H103-H107, H112).

    Encodings are judged by name first, for what looks harmless in one may be a document type in another.
    """
    body = body.removeprefix(_BOM)
    charset = content_type.partition("charset=")[2].partition(";")[0].strip(" \"'").lower()
    declared = _DECLARED.match(body.lstrip()[:200])
    names = {charset, declared[1].decode("latin-1").lower() if declared else ""}
    if not names <= CHARSETS or b"\0" in body:
        raise Problem("malformed", "send XML in UTF-8")
    if body:
        _parse(body)


def _parse(body: bytes) -> None:
    depth = 0

    def deeper(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise Problem("malformed", f"XML nested deeper than {DEPTH} levels is not taken")

    def shallower(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_ignored: object) -> None:
        raise Problem("malformed", "XML with a document type is not taken")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = deeper, shallower
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Problem("malformed", f"the body is not XML: {expat.ErrorString(error.code)}") from None
