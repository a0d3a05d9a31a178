"""Addresses and numbers that want no messages: the same as `syncd messages opt-out`."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from syncd.flows.opt_out import note_opt_out, read_email_address, read_number
from syncd.web import api_models as shapes
from syncd.web.api_common import context_of
from syncd.web.api_docs import documented
from syncd.web.strict_route import StrictRoute
from syncd.web.words import invalid

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["people"])


@router.post(
    "/opt-outs",
    summary="No messages to an address or a number",
    description="From now on clients are sent nothing there, over any channel; `undo` takes it back. Exactly one of "
    "`email` and `phone`. Repeating it changes nothing.",
    **documented({200: shapes.OptOutOut}, 422),
)
def post_opt_out(request: Request, taken: shapes.OptOutIn) -> Response:
    ctx = context_of(request)
    if (taken.email is None) == (taken.phone is None):
        raise invalid("email", "name exactly one of email and phone")
    field, given = ("email", taken.email) if taken.email is not None else ("phone", taken.phone or "")
    try:
        key = read_email_address(given or "") if field == "email" else read_number(ctx, given or "")
    except ValueError as error:
        raise invalid(field, str(error)) from None
    return JSONResponse(note_opt_out(ctx, key, undo=taken.undo))
