"""Microsoft's own client drives our stand-in for Graph: what it could not read, the live service does not say."""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from syncd.core.interval import Interval
from tests.connectors.outlook_stage import ANA, FIRST
from tests.servers.graph import GraphServer, graph_server
from tests.servers.graph_mailbox import interval_of

pytest.importorskip("msgraph", reason="Microsoft's client is missing; remedy: pip install msgraph-sdk")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client warns of itself

IDS = 'IdType="ImmutableId", outlook.timezone="UTC"'


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with graph_server() as running:
        running.box(ANA)
        running.desk.live.add("sdk")
        yield running


class Always:
    """A credential that needs nobody."""

    def get_token(self, *_scopes: str, **_more: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("sdk", int(time.time()) + 3600)  # noqa: TID251 - azure compares with the machine's clock

    def close(self) -> None:
        """Hold nothing."""


def of(module: str, name: str) -> Any:
    """Return a part of the client; by name, because its types alone would keep the type checker busy for a minute."""
    return getattr(importlib.import_module(module), name)


@asynccontextmanager
async def opened(graph: GraphServer) -> AsyncIterator[Any]:
    """Point the client at the stand-in."""
    module = "kiota_authentication_azure.azure_identity_authentication_provider"
    makes = of(module, "AzureIdentityAuthenticationProvider")
    async with httpx.AsyncClient(trust_env=False) as http:  # its own leaves sockets open
        adapter = of("msgraph", "GraphRequestAdapter")(makes(Always(), allowed_hosts=["127.0.0.1"]), client=http)
        adapter.base_url = f"{graph.url}/v1.0"
        yield of("msgraph", "GraphServiceClient")(request_adapter=adapter)


def config(**query: Any) -> Any:
    headers = of("kiota_abstractions.headers_collection", "HeadersCollection")()
    headers.add("Prefer", IDS)
    return of("kiota_abstractions.base_request_configuration", "RequestConfiguration")(headers=headers, **query)


def times(start: datetime) -> dict[str, Any]:
    time_zoned = of("msgraph.generated.models.date_time_time_zone", "DateTimeTimeZone")

    def one(moment: datetime) -> Any:
        return time_zoned(date_time=moment.replace(tzinfo=None).isoformat(), time_zone="UTC")

    return {"start": one(start), "end": one(start + timedelta(hours=1))}


def test_microsoft_s_client_makes_changes_lists_and_deletes(graph: GraphServer) -> None:
    event = of("msgraph.generated.models.event", "Event")

    graph.api.odd.told_patches = True

    async def play() -> None:
        async with opened(graph) as sdk:
            user = sdk.users.by_user_id(ANA)
            made = await user.events.post(event(subject="Visita", transaction_id="t1", **times(FIRST)), config())
            again = await user.events.post(event(subject="Visita", transaction_id="t1", **times(FIRST)), config())
            assert made.id == again.id and made.show_as.value == "busy"
            changed = await user.events.by_event_id(made.id).patch(event(subject="Otra"), config())
            assert changed.subject == "Otra"
            listed = await user.calendars.get(config())
            assert [one.name for one in listed.value] == ["Calendar"]
            await user.events.by_event_id(made.id).delete(config())

    asyncio.run(play())
    assert graph.api.boxes[ANA].events == {}


def test_microsoft_s_client_follows_a_delta(graph: GraphServer) -> None:
    builder = of("msgraph.generated.users.item.calendar_view.delta.delta_request_builder", "DeltaRequestBuilder")

    box = graph.api.boxes[ANA]
    ids = [box.add(Interval(FIRST + timedelta(days=n), FIRST + timedelta(days=n, hours=1))) for n in range(25)]
    box.add_series(Interval(FIRST, FIRST + timedelta(hours=1)), timedelta(days=7), 2)
    query = builder.DeltaRequestBuilderGetQueryParameters(
        start_date_time=(FIRST - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        end_date_time=(FIRST + timedelta(days=60)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )

    async def play() -> None:
        async with opened(graph) as sdk:
            delta = sdk.users.by_user_id(ANA).calendar_view.delta
            page = await delta.get(config(query_parameters=query))
            seen = list(page.value)
            while page.odata_next_link:
                page = await delta.with_url(page.odata_next_link).get(config())
                seen += page.value
            assert len(seen) == 27 and {one.type.value for one in seen} == {"singleInstance", "occurrence"}
            box.remove(ids[0])
            page = await delta.with_url(page.odata_delta_link).get(config())
            assert [one.id for one in page.value] == [ids[0]]
            assert page.value[0].additional_data["@removed"]

    asyncio.run(play())


def test_microsoft_s_client_subscribes_and_asks_for_busy_time(graph: GraphServer) -> None:
    subscription = of("msgraph.generated.models.subscription", "Subscription")
    question = of(
        "msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body",
        "GetSchedulePostRequestBody",
    )

    graph.api.boxes[ANA].add(Interval(FIRST, FIRST + timedelta(hours=1)))
    span = times(FIRST)

    async def play() -> None:
        async with opened(graph) as sdk:
            end = datetime(2026, 11, 27, tzinfo=UTC)
            wanted = subscription(
                change_type="created,updated,deleted",
                notification_url="https://visitas.example.cl/hook/o",
                resource=f"users/{ANA}/events",
                expiration_date_time=end,
                client_state="x",
            )
            made = await sdk.subscriptions.post(wanted, config())
            assert made.expiration_date_time == end
            body = question(schedules=[ANA], start_time=span["start"], end_time=span["end"])
            told = await sdk.users.by_user_id(ANA).calendar.get_schedule.post(body, config())
            assert [one.status.value for one in told.value[0].schedule_items] == ["busy"]
            await sdk.subscriptions.by_subscription_id(made.id).delete(config())

    asyncio.run(play())
    assert graph.api.subscriptions == {}


def test_the_stand_in_speaks_in_seven_digits_and_without_offset(graph: GraphServer) -> None:
    name = graph.api.boxes[ANA].add(Interval(FIRST, FIRST + timedelta(hours=1)))
    event = graph.api.boxes[ANA].events[name]
    assert event["start"]["dateTime"].endswith(".0000000") and interval_of(event).start == FIRST
    assert "Z" not in event["start"]["dateTime"]
