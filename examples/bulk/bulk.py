"""Sends one text to many and watches the job to its end. Needs nothing but Python.

    WAPID_KEY=wapid_test_… python3 bulk.py [--session main] TEXT NUMBER...
"""

import hashlib
import json
import os
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

BASE = os.environ.get("WAPID_URL", "http://127.0.0.1:8080")
KEY = os.environ.get("WAPID_KEY", "")


def call(path, body=None, headers=None):
    request = Request(BASE + path, data=body, headers={"X-API-Key": KEY, **(headers or {})})
    try:
        with urlopen(request) as response:
            return json.load(response)
    except HTTPError as refusal:
        answer = json.load(refusal)
        sys.exit(f"{answer['error']} ({answer['code']})")
    except URLError as problem:
        sys.exit(str(problem.reason))


def start(session, message, recipients):
    path = f"/api/whatsapp/session/{quote(session, safe='')}/send-bulk"
    body = json.dumps({"message": message, "recipients": recipients}).encode()
    # The same campaign has the same key: started twice within a day, it is one job.
    key = hashlib.sha256(path.encode() + body).hexdigest()
    return call(path, body, {"Content-Type": "application/json", "Idempotency-Key": key})["jobId"]


def watch(job_id):
    shown = None
    while True:
        job = call(f"/api/whatsapp/bulk-job/{job_id}")
        line = f"{job['processed']}/{job['total']} {job['state']}"
        if waiting := job.get("waiting"):
            line += f": {waiting['message']}"
            if "until" in waiting:
                line += f", until {waiting['until']}"
        if line != shown:
            print(line, flush=True)
            shown = line
        if job["status"] in ("completed", "failed"):
            return job
        time.sleep(2)


def main():
    session, words = "main", sys.argv[1:]
    if len(words) > 1 and words[0] == "--session":
        session, words = words[1], words[2:]
    if len(words) < 2:
        print("usage: python3 bulk.py [--session main] TEXT NUMBER...", file=sys.stderr)
        return 2
    job_id = start(session, words[0], words[1:])
    print(f"Job {job_id}", flush=True)
    job = watch(job_id)
    print(f"{job['succeeded']} sent, {job['failed']} failed")
    return 0 if job["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
