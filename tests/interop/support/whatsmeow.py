"""whatsmeow clients of the sandbox, told what to do line by line.

neonize is whatsmeow with a Python face. whatsmeow has no setting for the server's address and for whom it believes, so
this starts a copy of the library in which both are replaced by others of the same length.

Usage: whatsmeow.py FOLDER LISTEN ROOT_KEY. Standard input has one JSON object per line, {"id", "client", "call",
"args"}; standard output answers {"id", "result"} or {"id", "error"}, and tells {"client", "event", ...} meanwhile.
"""

import importlib.util
import json
import os
import shutil
import sys
import threading
from pathlib import Path

WHATSAPP = b"wss://web.whatsapp.com/ws/chat"
ROOT_KEY = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")

folder, listen, root_key = Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])

copied = folder / "neonize"
shutil.copytree(Path(importlib.util.find_spec("neonize").origin).parent, copied)
(library,) = copied.glob("neonize-linux-*.so")
code = library.read_bytes()
address = f"ws://{listen}/ws/chat?".encode().ljust(len(WHATSAPP), b"x")
for old, new in [(WHATSAPP, address), (ROOT_KEY, root_key)]:
    assert len(old) == len(new) and code.count(old) == 1, "this whatsmeow keeps its server elsewhere"
    code = code.replace(old, new)
library.write_bytes(code)
sys.path.insert(0, str(folder))

from neonize.client import NewClient  # noqa: E402
from neonize.events import ConnectedEv, LoggedOutEv, MessageEv, StreamReplacedEv  # noqa: E402
from neonize.utils.enum import BlocklistAction  # noqa: E402
from neonize.utils.jid import build_jid  # noqa: E402

speaking = threading.Lock()


def say(**fact):
    with speaking:
        print(json.dumps(fact), flush=True)


def open_client(name):
    client = NewClient(str(folder / f"{name}.sqlite3"), uuid=name)

    @client.qr
    def _(_, qr):
        say(client=name, event="qr", qr=qr.decode())

    for kind, event in [(ConnectedEv, "connected"), (LoggedOutEv, "loggedOut"), (StreamReplacedEv, "replaced")]:
        client.event(kind)(lambda *_, event=event: say(client=name, event=event))

    @client.event(MessageEv)
    def _(_, message):
        text = message.Message.conversation or message.Message.extendedTextMessage.text
        info = message.Info
        say(client=name, event="message", text=text, id=info.ID, pushName=info.Pushname)

    threading.Thread(target=client.connect, daemon=True).start()
    return client


CALLS = {
    "isOnWhatsApp": lambda client, *numbers: {
        one.Query: {"jid": f"{one.JID.User}@{one.JID.Server}", "isIn": one.IsIn}
        for one in client.is_on_whatsapp(*numbers)
    },
    "setAbout": lambda client, text: client.set_status_message(text),
    "about": lambda client, number: client.get_user_info(build_jid(number))[0].UserInfo.Status,
    "block": lambda client, number: blocked(client.update_blocklist(build_jid(number), BlocklistAction.BLOCK)),
    "unblock": lambda client, number: blocked(client.update_blocklist(build_jid(number), BlocklistAction.UNBLOCK)),
    "blocked": lambda client: blocked(client.get_blocklist()),
    "send": lambda client, number, text: client.send_message(build_jid(number), text).ID,
}


def blocked(found):
    return [f"{jid.User}@{jid.Server}" for jid in found.JIDs]


def answer(request):
    try:
        say(id=request["id"], result=CALLS[request["call"]](clients[request["client"]], *request["args"]))
    except Exception as problem:  # noqa: BLE001 - whoever asked decides what to make of it
        say(id=request["id"], error=repr(problem))


clients = {}
for line in sys.stdin:
    asked = json.loads(line)
    if asked["call"] == "open":
        clients[asked["client"]] = open_client(asked["client"])
        say(id=asked["id"], result=None)
    else:
        threading.Thread(target=answer, args=[asked], daemon=True).start()
# Its own threads wait for ever.
os._exit(0)
