# howdah's workers and its command. Any image with Python 3.11 or later and pip will do as a base.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY . .
RUN python3 -m venv /opt/howdah \
 && /opt/howdah/bin/python -m pip wheel --quiet --no-cache-dir --no-deps --wheel-dir /wheels . \
 && /opt/howdah/bin/python -m pip install --quiet --no-cache-dir /wheels/*.whl

FROM ${PYTHON_IMAGE}
# A name in /etc/passwd: ssh and the programs of Temporal ask who they are, and jobs on this machine who owns them.
RUN groupadd --gid 10001 howdah \
 && useradd --uid 10001 --gid howdah --create-home --home-dir /home/howdah --shell /bin/sh howdah
COPY --from=build /opt/howdah /opt/howdah
ENV PATH=/opt/howdah/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/howdah \
    USER=howdah \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /home/howdah
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
ENTRYPOINT ["howdah"]
CMD ["worker", "start"]
