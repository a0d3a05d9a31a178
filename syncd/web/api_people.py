"""Contacts and inquiries read: who our visits are for, and who looks after those who were not known before."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from syncd.core import limits
from syncd.core.contacts import InquiryState
from syncd.core.ids import ContactId, InquiryId
from syncd.flows.show import inquiry_json, known_contact_json
from syncd.web import api_models as shapes
from syncd.web.api_common import context_of
from syncd.web.api_docs import documented
from syncd.web.problems import Problem
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agent_of, invalid

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["people"])
ContactIn = Annotated[str, Path(alias="id", max_length=limits.ID, description="The contact's id")]


@router.get(
    "/contacts/{id}",
    summary="One contact",
    description="Addresses, numbers and tax ids are in the form in which they are compared.",
    **documented({200: shapes.KnownContactOut}, 404, 422),
)
def get_contact(request: Request, contact_id: ContactIn) -> Response:
    ctx = context_of(request)
    with ctx.store.read() as tx:
        found = tx.people.find(ContactId(contact_id))
    if found is None:
        raise Problem("not-found", "no contact has this id")
    return JSONResponse(known_contact_json(found, ctx.directory.time_zone))


@router.get(
    "/inquiries",
    summary="List inquiries",
    description="The oldest first. `next` is null on the last page, else the value of `after` for the next one.",
    **documented({200: shapes.InquiriesOut}, 404, 422),
)
def get_inquiries(
    request: Request,
    agent: Annotated[str | None, Query(max_length=limits.EMAIL, description="id or address")] = None,
    state: Annotated[list[InquiryState] | None, Query(description="one or several of worked open")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    after: Annotated[str | None, Query(max_length=limits.ID, description="`next` of the page before")] = None,
) -> Response:
    ctx = context_of(request)
    with ctx.store.read() as tx:
        try:
            found = tx.people.inquiries(
                agent=agent_of(ctx.directory, agent) if agent is not None else None,
                states=state or tuple(InquiryState),
                after=InquiryId(after) if after is not None else None,
                limit=limit + 1,
            )
        except KeyError:
            raise invalid("after", "no inquiry has this id; take it from `next`") from None
    page = [inquiry_json(one, ctx.directory.time_zone) for one in found[:limit]]
    return JSONResponse({"items": page, "next": page[-1]["id"] if len(found) > limit else None})
