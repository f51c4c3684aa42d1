"""A program as somebody writes it on the generated client: link, send, read.

The client raises on a status that is not described, and what it does not know of an answer it keeps apart, which
this program looks for: nothing may be left there.
"""

import json
import sys
import time

import attrs
from wapid_client import AuthenticatedClient
from wapid_client.api.events import list_events
from wapid_client.api.jobs import preview_bulk
from wapid_client.api.messages import list_messages, send_message
from wapid_client.api.sandbox import sandbox_create_phone, sandbox_messages, sandbox_scan
from wapid_client.api.sessions import create_session, list_sessions, session_health, session_status
from wapid_client.models import Error, NewBulk, NewMessage, NewPhone, NewSession, Scan

url, key = sys.argv[1:]
client = AuthenticatedClient(
    base_url=url,
    token=key,
    prefix="",
    auth_header_name="X-API-Key",
    raise_on_unexpected_status=True,
    timeout=60,
)
SHOP, FRIEND = "5511900000001", "5511900000002"


def known(answer):
    """The answer, none of whose fields is unknown to the client."""
    assert answer is not None and not isinstance(answer, Error), answer
    seen = [answer]
    while seen:
        one = seen.pop()
        if isinstance(one, list):
            seen.extend(one)
        elif hasattr(one, "additional_properties"):
            names = [field.name for field in attrs.fields(type(one)) if field.name != "additional_properties"]
            # What has no named field is a map, whose names are the answer's own.
            if names:
                assert not one.additional_properties, f"{type(one).__name__}: {one.additional_properties}"
            else:
                seen.extend(one.additional_properties.values())
            seen.extend(getattr(one, name) for name in names)
    return answer


def until(what, ask):
    end = time.monotonic() + 60
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited 60 s for {what}"
        time.sleep(0.05)


for phone, name in ((SHOP, "Shop"), (FRIEND, "Friend")):
    known(sandbox_create_phone.sync(client=client, body=NewPhone(phone=phone, name=name)))
made = known(create_session.sync(client=client, body=NewSession(session_id="main", name="Shop")))
assert made.is_new
status = lambda: known(session_status.sync("main", client=client))
qr = until("a QR", lambda: isinstance(status().qr_text, str) and status().qr_text)
known(sandbox_scan.sync(SHOP, client=client, body=Scan(qr=qr)))
until("ready", lambda: status().status == "ready")

sent = known(send_message.sync("main", client=client, body=NewMessage(to=FRIEND, message="written in Python")))
shown = until(
    "the phone to show it",
    lambda: [
        one.id
        for one in sandbox_messages.sync(FRIEND, client=client).messages
        if one.message == "written in Python"
    ],
)
log = known(list_messages.sync(client=client, limit=10, direction="out"))
logged = [row.message_id for row in log.messages if row.message_id == sent.message_id]
events = list_events.sync(client=client, types="message.*,session.*").events
ready = [event.data.phone_number for event in events if event.type_ == "session.ready"]
health = known(session_health.sync("main", client=client))
sessions = known(list_sessions.sync(client=client))
bulk = {"recipients": [FRIEND, {"phone": SHOP, "name": "Ana"}], "message": "Hello {{name|there}}"}
preview = known(preview_bulk.sync("main", client=client, body=NewBulk.from_dict(bulk)))
refused = send_message.sync("nobody", client=client, body=NewMessage(to=FRIEND, message="x"))

print(
    json.dumps(
        {
            "sent": sent.message_id,
            "shown": shown[0],
            "logged": logged[0],
            "ready": ready,
            "timelock": health.timelock is not None,
            "sessions": len(sessions.sessions),
            "preview": [one.message for one in preview.previews],
            "refused": refused.code,
        }
    )
)
