FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt .
# pip and build tools stay in this stage; the final image has neither.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --only-binary :all: -r requirements.txt

FROM python:3.13-slim-bookworm
# A fixed uid, so that volumes keep their owner across images.
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
# The empty ProxyHandler: proxy variables must not apply to the local port.
# Shell form instead of JSON, because the shell expands the port.
# hadolint ignore=DL3025
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD python -c "\
from urllib.request import ProxyHandler, build_opener; \
build_opener(ProxyHandler({})).open('http://127.0.0.1:${ANONCHAT_PORT:-8080}/healthz', timeout=4)"
CMD ["python", "main.py"]
