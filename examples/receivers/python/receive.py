"""Receives webhooks and refuses what wapid did not sign. Needs nothing but Python.

    WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 python3 receive.py

Three ways to verify, each at a path of its own here: take one.
"""

import base64
import hashlib
import hmac
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WAPID_WEBHOOK_SECRET"]
KEY = base64.b64decode(SECRET[6:]) if SECRET.startswith("whsec_") else SECRET.encode()
TOLERANCE_S = 300


def digest(message):
    return hmac.new(KEY, message, hashlib.sha256)


def same(a, b):
    return hmac.compare_digest(a.encode(), b.encode())


def standard(headers, body):
    """Standard Webhooks: notices a replay, and holds two signatures while you change the secret."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event_id or not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    mac = digest(f"{event_id}.{timestamp}.".encode() + body).digest()
    expected = "v1," + base64.b64encode(mac).decode()
    return any(same(signature, expected) for signature in headers.get("webhook-signature", "").split(" "))


def raw_body(headers, body):
    """The one-line way: a hash of the body as it came."""
    return same(headers.get("x-webhook-signature", ""), "sha256=" + digest(body).hexdigest())


def in_body(headers, body):
    """The field `signature` is last and signs the body without it, so it is cut off, not parsed."""
    signed = body[:-80] + b"}"
    expected = ',"signature":"' + digest(signed).hexdigest() + '"}'
    return hmac.compare_digest(body[-80:], expected.encode())


WAYS = {"/": standard, "/raw-body": raw_body, "/in-body": in_body}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        way = WAYS.get(self.path)
        genuine = way is not None and way(self.headers, body)
        # If it is, `webhook-id` is the same when an event comes again; now `json.loads(body)`.
        self.send_response(200 if genuine else 401)
        self.end_headers()
        answer = f"ok {self.headers.get('webhook-id')}\n" if genuine else "refused\n"
        self.wfile.write(answer.encode())


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "4000"))), Receiver).serve_forever()
