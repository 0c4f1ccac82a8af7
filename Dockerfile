# HTTP by default:   docker run -p 8000:8000 -v mistral-mcp:/data -e MISTRAL_MCP_PUBLIC_URL=https://… IMAGE
# MCP over stdio:    docker run -i --rm --no-healthcheck -e MISTRAL_API_KEY IMAGE stdio
# Both work with --read-only --tmpfs /tmp. The image contains no secrets and no defaults for them.

# 3.13.15 on Debian trixie. scripts/pin_images.sh renews the digest.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /opt/venv
# Dependencies are installed from the lock, by hash, in a layer of their own: they change less often than the code.
COPY requirements.txt ./
RUN /opt/venv/bin/python -m pip install --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY scripts/third_party_notices.py ./scripts/
COPY mistral_mcp ./mistral_mcp
# The final image has no build tools.
RUN /opt/venv/bin/python -m pip install --no-deps --no-build-isolation . \
    && /opt/venv/bin/python -m pip uninstall --yes hatchling editables pathspec pluggy trove-classifiers pip \
    && /opt/venv/bin/python scripts/third_party_notices.py > /opt/venv/THIRD_PARTY_NOTICES.txt \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

LABEL io.modelcontextprotocol.server.name="io.github.mistral-mcp/mistral-mcp" \
      org.opencontainers.image.title="mistral-mcp" \
      org.opencontainers.image.description="Mistral's models as MCP tools" \
      org.opencontainers.image.source="https://github.com/mistral-mcp/mistral-mcp" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"

RUN groupadd --gid 10001 mistral \
    && useradd --uid 10001 --gid mistral --home-dir /data --no-create-home --no-log-init --shell /usr/sbin/nologin mistral \
    && install --directory --owner mistral --group mistral --mode 0700 /data
COPY --from=build /opt/venv /opt/venv

ENV PATH="/opt/venv/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MISTRAL_MCP_DATA_DIR=/data
# A number, so that Kubernetes can check that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

ENTRYPOINT ["mistral-mcp"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
