# syntax=docker/dockerfile:1

# The Rust that Cargo.toml names, on the Debian that the image runs.
FROM rust:1.95-trixie AS chef
RUN cargo install --locked cargo-chef@0.1.78
WORKDIR /src

# What the dependencies are, without our sources: changes when a manifest or the lock does.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
# The dependencies, in a layer of their own that an edit of ours does not rebuild.
RUN cargo chef cook --release --locked --package wapid --recipe-path recipe.json
COPY . .
# For `wapid_build_info`: docker build --build-arg WAPID_COMMIT=$(git rev-parse --short HEAD) .
ARG WAPID_COMMIT=unknown
RUN WAPID_COMMIT=$WAPID_COMMIT cargo build --release --locked --package wapid && strip target/release/wapid


FROM debian:trixie-slim
# The binary needs glibc, which is here, and the roots of the public certificate authorities.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin wapid \
    && install -d -o wapid -g wapid -m 0700 /data
COPY --from=build /src/target/release/wapid /usr/local/bin/wapid

USER wapid
ENV WAPID_DATA_DIR=/data \
    WAPID_LISTEN=0.0.0.0:8080
# Sessions and the key that seals them live here: losing it means linking every number again.
VOLUME /data
EXPOSE 8080
# The binary asks itself, so the image needs no curl.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["wapid", "health"]
ENTRYPOINT ["wapid"]
CMD ["serve"]
