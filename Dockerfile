# The server in a container, on the CPU:
#   docker build -t adair .
#   docker run --rm --read-only -p 127.0.0.1:8000:8000 -e ADAIR_TOKEN=at-least-16-characters adair
# For a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 and docker run --gpus all.
FROM python:3.13-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

WORKDIR /build
COPY constraints.txt ./
RUN pip install --index-url "$TORCH_INDEX" -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install -c constraints.txt '.[serve]' && rm -rf /build

# A number, so that a cluster that forbids root can see that this is not root.
WORKDIR /
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready', timeout=5)"]
ENTRYPOINT ["adair", "serve", "--host", "0.0.0.0"]
