"""What PyPI's `standardwebhooks` says of each request: a JSON object per line in, `true` or `false` out."""

import base64
import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(base64.b64decode(request["body"]), request["headers"])
        print("true")
    except Exception:
        # Of any kind: bytes that are not UTF-8, base64 that is none.
        print("false")
