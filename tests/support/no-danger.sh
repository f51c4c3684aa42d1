#!/usr/bin/env bash
# No build of wapid may skip WhatsApp's certificates.
#
# whatsapp-rust and its family have `danger-*` features that switch the check off. Cargo unifies
# features: one member that asked for it, even for its tests, would switch it off in the live binary.
# So no manifest names one, and no package of the workspace's graph has one on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if grep -nE '^[^#]*danger-' Cargo.toml ./*/Cargo.toml; then
    echo "no-danger: a manifest names a danger feature (above); no build of wapid may have one" >&2
    exit 1
fi

# Every package with the features that are on, dev-dependencies and every platform included.
graph=$(cargo tree --locked --workspace --target all --edges normal,build,dev --prefix none --format '{p} [{f}]')
grep -q '^wacore-noise v' <<<"$graph" || {
    echo "no-danger: wacore-noise is not in the graph; this check looks for the wrong thing now" >&2
    exit 1
}
if grep -E '\[.*danger-.*\]' <<<"$graph" | sort -u; then
    echo "no-danger: a danger feature is on (above); find who asks with: cargo tree -e features -i PACKAGE" >&2
    exit 1
fi
echo "no danger feature in $(sed 's, (\*)$,,' <<<"$graph" | sort -u | wc -l) packages"
