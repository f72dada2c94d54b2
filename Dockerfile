# The server's image. Builder and base are arguments, so that a site can name its own mirrors of them:
#
#   docker build -t metropay .
#   docker build -t metropay --build-arg BUILDER=registry.example.com/rust:1-bookworm --build-arg RUNTIME=registry.example.com/debian:bookworm-slim .
#
# It runs as a user without rights and writes nothing into its root, which may be read-only (compose.yaml shows how).
ARG BUILDER=rust:1-bookworm
ARG RUNTIME=debian:bookworm-slim

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# What cargo fetched and built is kept between builds of the image, and is not in it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release -p metropay-server --bin metropay \
    && install -D target/release/metropay /out/metropay

FROM ${RUNTIME} AS server
# Channels are called over TLS and checked against the system's certificate authorities.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 metropay \
    && useradd --uid 10001 --gid metropay --no-create-home --home-dir /var/lib/metropay --shell /usr/sbin/nologin metropay \
    && install -d -o metropay -g metropay -m 750 /var/lib/metropay
COPY --from=build /out/metropay /usr/local/bin/metropay
COPY deploy/healthcheck.sh /usr/local/bin/metropay-healthcheck
COPY config /etc/metropay
# A number, so that a cluster can see that it is not root.
USER 10001:10001
# Relative paths of the configuration (an embedded database, the demo) end up here: mount a volume where they are used.
WORKDIR /var/lib/metropay
ENV METROPAY_CONFIG_DIR=/etc/metropay \
    METROPAY_PROFILE=production \
    METROPAY_SERVER__LISTEN=0.0.0.0:8080
EXPOSE 8080
# Whether the process lives. Whether it may be sent requests is /readyz, which load balancers ask: a node without its database is not
# mended by a restart.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["metropay-healthcheck"]
ENTRYPOINT ["metropay"]
CMD ["serve"]
