# The commands of a working day. `just` lists them; each is one line you could type yourself.

_default:
    @just --list --unsorted

# Does it compile, in the fastest way (`just check core` for one member)
check member="":
    cargo check {{ if member == "" { "--workspace --all-targets" } else { "--all-targets -p wapid-" + member } }}

# The Rust tests whose names contain WORDS, on both engines; without WORDS everything that CI runs
test *words:
    ./test {{ words }}

# All but other people's clients and programs
quick:
    ./test --quick

# Formatting and lints, as CI wants them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    tests/support/no-danger.sh

# Format everything
fmt:
    cargo fmt --all

# Run the gateway with its data in ./data
serve *arguments:
    cargo run -- serve {{ arguments }}

# A tour on the sandbox: link, send, reply, a bulk job
demo:
    cargo run -- demo

# The sandbox network alone, for any client
sandbox *arguments:
    cargo run -- sandbox {{ arguments }}

# Other people's clients against the sandbox
interop:
    cargo build --workspace --bins --tests
    cd tests/interop && npm ci --ignore-scripts && npm test

# Users' programs, and those of examples/, against the gateway
samples:
    cargo build --workspace --bins --tests
    cd tests/samples && npm ci --ignore-scripts && npm test

# Licences, bans and sources of the dependencies (cargo install --locked cargo-deny)
deny:
    cargo deny --all-features check bans licenses sources

# Known faults of the dependencies; fetches the advisory database
advisories:
    cargo deny check advisories

# A private Postgres for a debugging session; prints its URL (`just postgres stop` ends it)
postgres action="start":
    tests/support/postgres.sh {{ action }} target/postgres

# The same for Redis (`just redis stop` ends it)
redis action="start":
    tests/support/redis.sh {{ action }} target/redis

# Every figure of the README, on the Postgres and the Redis above (`just bench --only sqlite` leaves one out)
bench *arguments:
    WAPID_TEST_POSTGRES=$(tests/support/postgres.sh start target/postgres) WAPID_TEST_REDIS=$(tests/support/redis.sh start target/redis) cargo bench --workspace --bench gateway --bench jobs --bench wakeups -- {{ arguments }}
