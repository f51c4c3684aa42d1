#!/usr/bin/env bash
# Sends one text to many and watches the job to its end. Needs curl, jq and sha256sum.
#
#   WAPID_KEY=wapid_test_… ./bulk.sh [--session main] TEXT NUMBER...
set -euo pipefail

base=${WAPID_URL:-http://127.0.0.1:8080}
session=main
if [ "${1:-}" = --session ] && [ $# -ge 2 ]; then session=$2; shift 2; fi
if [ $# -lt 2 ]; then echo "usage: bulk.sh [--session main] TEXT NUMBER..." >&2; exit 2; fi

call() {
    local path=$1 answer
    shift
    answer=$(curl -sS -H "X-API-Key: ${WAPID_KEY:-}" "$@" "$base$path") || exit 1
    if jq -e 'has("error")' <<<"$answer" >/dev/null; then
        jq -r '"\(.error) (\(.code))"' <<<"$answer" >&2
        exit 1
    fi
    echo "$answer"
}

path=/api/whatsapp/session/$(jq -rn --arg id "$session" '$id | @uri')/send-bulk
body=$(jq -cn '{message: $ARGS.positional[0], recipients: $ARGS.positional[1:]}' --args -- "$@")
# The same campaign has the same key: started twice within a day, it is one job.
key=$(sha256sum <<<"$path$body" | cut -d' ' -f1)
made=$(call "$path" -H "Content-Type: application/json" -H "Idempotency-Key: $key" --data-binary "$body")
job_id=$(jq -r .jobId <<<"$made")
echo "Job $job_id"

shown=
while true; do
    job=$(call "/api/whatsapp/bulk-job/$job_id")
    line=$(jq -r '"\(.processed)/\(.total) \(.state)" + (.waiting | if . then ": " + .message else "" end)
        + (.waiting.until | if . then ", until " + . else "" end)' <<<"$job")
    if [ "$line" != "$shown" ]; then echo "$line"; fi
    shown=$line
    # The value of `status`: to look for "failed" anywhere would find the count of that name.
    status=$(jq -r .status <<<"$job")
    case $status in completed | failed) break ;; esac
    sleep 2
done
jq -r '"\(.succeeded) sent, \(.failed) failed"' <<<"$job"
[ "$status" = completed ]
