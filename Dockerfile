FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt .
# pip stays behind in this stage, and so does all that could compile: the finished image only runs.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --only-binary :all: -r requirements.txt

FROM python:3.13-slim-bookworm
# A number of our own, so that a volume keeps its owner from one image to the next.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin anonchat \
    && install --directory --mode 700 --owner anonchat --group anonchat /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ANONCHAT_HOST=0.0.0.0 \
    ANONCHAT_PORT=8080 \
    ANONCHAT_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
# The empty ProxyHandler: a proxy meant for the way out must not be asked about our own port.
# Not as JSON, as hadolint would have it: the shell fills in the port.
# hadolint ignore=DL3025
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD python -c "\
from urllib.request import ProxyHandler, build_opener; \
build_opener(ProxyHandler({})).open('http://127.0.0.1:${ANONCHAT_PORT:-8080}/healthz', timeout=4)"
CMD ["python", "main.py"]
