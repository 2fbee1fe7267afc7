# Unverified here (no container engine): built by .github/workflows/stack.yml.
# `server`: everything `peyk` can do but the embedded database (the stack keeps its record in ClickHouse).
# `agent`: what a volunteer's machine needs, and no more.

FROM node:24-slim AS build
WORKDIR /peyk
ENV npm_config_update_notifier=false
COPY package.json package-lock.json ./
# No optional packages: chDB (543 MB) and Node itself are what the base image or ClickHouse brings.
RUN npm ci --omit=optional --no-audit --no-fund
COPY . .
RUN node -e "import('./server/page/build.ts').then(({ buildPageIfStale }) => buildPageIfStale())" \
 && npm prune --omit=dev --omit=optional --no-audit --no-fund \
 && rm -rf test .ci .github

FROM node:24-slim AS base
WORKDIR /peyk
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
# Owned before a volume is mounted: a new volume takes these owners over.
RUN install -d -o node -g node /data /etc/peyk
USER node
ENTRYPOINT ["node", "peyk.ts"]

FROM base AS agent
ENV MALLOC_TRIM_THRESHOLD_=65536 MALLOC_MMAP_THRESHOLD_=65536 NODE_OPTIONS=--max-old-space-size=48
COPY --from=build --chown=root:root /peyk/package.json /peyk/peyk.ts /peyk/LICENSE ./
COPY --from=build --chown=root:root /peyk/node_modules ./node_modules
COPY --from=build --chown=root:root /peyk/measurement ./measurement
COPY --from=build --chown=root:root /peyk/probes ./probes
# Where addresses are; reads databases, knows nothing else of the server.
COPY --from=build --chown=root:root /peyk/server/locate ./server/locate
EXPOSE 8402
CMD ["agent"]

FROM base AS server
COPY --from=build --chown=root:root /peyk ./
EXPOSE 8400 8401
CMD ["server"]
