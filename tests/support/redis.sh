#!/bin/sh
# A private, throwaway Redis for tests and benchmarks.
#
#   tests/support/redis.sh start DIR    starts one in DIR (made if missing), prints its URL
#   tests/support/redis.sh stop DIR     stops it and deletes DIR
#
# Needs the server's binary (Debian: apt-get install redis-server) and no running service. It keeps
# its append-only file and syncs it every second, the setting that we ask operators for.
set -eu

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
dir=$2

server=$(command -v redis-server || true)
[ -n "$server" ] || { echo "redis.sh: no redis-server found (apt-get install redis-server)" >&2; exit 1; }

running() { [ -f "$dir/redis.pid" ] && kill -0 "$(cat "$dir/redis.pid")" 2>/dev/null; }

free_port() { echo $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 40000)); }

# Answers only when this server, and not a stranger on the same port, accepts connections.
ready() { grep -q "Ready to accept connections" "$dir/redis.log" 2>/dev/null; }

case $1 in
start)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if running; then cat "$dir/url"; exit 0; fi
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        : >"$dir/redis.log"
        # A port that is taken makes it exit before it is ready.
        "$server" --bind 127.0.0.1 --port "$port" --dir "$dir" --pidfile "$dir/redis.pid" --logfile "$dir/redis.log" \
            --daemonize yes --save '' --appendonly yes --appendfsync everysec >/dev/null
        tries=0
        while [ $tries -lt 100 ]; do
            if ready; then echo "redis://127.0.0.1:$port" | tee "$dir/url"; exit 0; fi
            if grep -q "Failed listening" "$dir/redis.log"; then break; fi
            tries=$((tries + 1))
            sleep 0.1
        done
    done
    cat "$dir/redis.log" >&2
    exit 1
    ;;
stop)
    [ -d "$dir" ] || exit 0
    dir=$(cd "$dir" && pwd)
    # Only a folder that we made is deleted.
    [ -f "$dir/redis.log" ] || { echo "redis.sh: $dir holds no server of ours" >&2; exit 1; }
    if running; then
        pid=$(cat "$dir/redis.pid")
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
    rm -rf "$dir"
    ;;
*) usage ;;
esac
