#!/bin/sh
# A private, throwaway Postgres for tests and benchmarks.
#
#   tests/support/postgres.sh start DIR    starts one in DIR (made if missing), prints its URL
#   tests/support/postgres.sh halt DIR     stops it at once; another start finds what it held, at its port
#   tests/support/postgres.sh stop DIR     stops it and deletes DIR
#
# Needs the server's binaries (Debian: apt-get install postgresql) and no running service. fsync
# stays on, so that what a benchmark measures is what a server would do. Postgres refuses to run as
# root; as root we become `postgres` or `nobody`.
set -eu

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
dir=$2

bin=
for candidate in $(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/pgsql/bin 2>/dev/null | sort -rV); do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ]; then bin=$candidate; break; fi
done
if [ -z "$bin" ]; then
    pg_ctl=$(command -v pg_ctl || true)
    [ -n "$pg_ctl" ] || { echo "postgres.sh: no initdb and pg_ctl found (apt-get install postgresql)" >&2; exit 1; }
    bin=$(dirname "$pg_ctl")
fi

run_as=
if [ "$(id -u)" -eq 0 ]; then
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then run_as=$user; break; fi
    done
    [ -n "$run_as" ] || { echo "postgres.sh: root needs a user postgres or nobody" >&2; exit 1; }
fi

# Runs one command as the server's user, from a place that user may read.
as_server() {
    if [ -z "$run_as" ]; then (cd / && "$@"); else (cd / && setpriv --reuid="$run_as" --regid="$(id -g "$run_as")" --clear-groups "$@"); fi
}

free_port() {
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 40000))
    # A port that nobody answers on; if somebody takes it meanwhile, starting fails and we try again.
    while as_server "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do port=$((port + 1)); done
    echo "$port"
}

case $1 in
start)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    chmod 755 "$dir"
    [ -z "$run_as" ] || chown "$run_as" "$dir"
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        as_server "$bin/initdb" -D "$dir/data" -U wapid --auth=trust --encoding=UTF8 --no-locale --no-instructions >"$dir/initdb.log" 2>&1 ||
            { cat "$dir/initdb.log" >&2; exit 1; }
    fi
    if as_server "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
        echo "postgres://wapid@127.0.0.1:$(sed -n 4p "$dir/data/postmaster.pid")/postgres"
        exit 0
    fi
    # Whoever was connected looks for it where it was.
    port=$(cat "$dir/port" 2>/dev/null || free_port)
    for _ in 1 2 3 4 5; do
        # The socket lies in /tmp because a socket's path is limited to about 100 bytes.
        if as_server "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/data/server.log" start \
            -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=/tmp -c max_connections=300 ${WAPID_POSTGRES_OPTIONS:-}" \
            >/dev/null 2>&1; then
            echo "$port" >"$dir/port"
            echo "postgres://wapid@127.0.0.1:$port/postgres"
            exit 0
        fi
        port=$(free_port)
    done
    cat "$dir/data/server.log" >&2
    exit 1
    ;;
halt)
    as_server "$bin/pg_ctl" -D "$(cd "$dir" && pwd)/data" -m immediate -w stop >/dev/null
    ;;
stop)
    [ -d "$dir" ] || exit 0
    dir=$(cd "$dir" && pwd)
    # Only a folder that we made is deleted.
    [ -f "$dir/data/PG_VERSION" ] || { echo "postgres.sh: $dir holds no server of ours" >&2; exit 1; }
    as_server "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$dir"
    ;;
*) usage ;;
esac
