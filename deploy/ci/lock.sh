#!/usr/bin/env bash
# Resolve pyproject.toml, and what a worker needs beside it on CUDA, into the lock files. Usage: deploy/ci/lock.sh UV
# The index is the one that pip is configured with; nothing about it is written into the files.
set -euo pipefail
uv=$1
cd "$(dirname "$0")/../.."

if [[ -z ${UV_DEFAULT_INDEX:-} ]] && index=$(python3 -m pip config get global.index-url 2>/dev/null); then
  export UV_DEFAULT_INDEX=$index
fi

compile() {
  local output=$1
  shift
  "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
    --python-version 3.11 --output-file "$output" "$@"
}

# All extras but PyTorch and FastRTC, each of which is several times as large as all else.
extras=$(python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"])')
with=()
for extra in $extras; do
  [[ $extra == huggingface || $extra == fastrtc ]] || with+=(--extra "$extra")
done
compile requirements.lock "${with[@]}" pyproject.toml
# The images hold the same versions as the development environment.
compile requirements-api.lock --extra api --extra build --constraint requirements.lock pyproject.toml
compile requirements-worker.lock --extra worker --extra build --constraint requirements.lock pyproject.toml
for extra in otel rtc s3; do
  compile "requirements-$extra.lock" --extra "$extra" --constraint requirements.lock pyproject.toml
done
compile requirements-cuda.lock deploy/images/cuda.in

if grep -nE '://|^-' requirements*.lock; then
  echo 'lock: the lines above name a host or an option of pip' >&2
  exit 1
fi
