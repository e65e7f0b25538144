#!/usr/bin/env bash
# A film converted by several workers of a Dask cluster, all on this machine: 06_many_machines.sh [VIDEO [OUTPUT]]
#
# Run it where "vs-interp[cluster]" is installed and activated; beside a checkout's own .venv that happens by itself.
# On many machines the scheduler runs on one of them (--host its address) and `vs-interp worker ADDRESS` on every other,
# once a GPU (--device 0, --device 1, …); the film is seen by all under one path, or --map says under which.
set -euo pipefail

examples=$(dirname "$0")
. "$examples/activate.sh"
video=${1:-$examples/../vs_interp/clips/bbb_360p24.mp4}
output=${2:-bbb_2x.mkv}
port=${PORT:-8786}

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
dask scheduler --host 127.0.0.1 --port "$port" --no-dashboard >/dev/null 2>&1 &
for _ in 1 2; do
  vs-interp worker "tcp://127.0.0.1:$port" &
done
until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.2; done

vs-interp convert "$video" "$output" --scale 2 --chunk "${CHUNK:-10}" --cluster "tcp://127.0.0.1:$port"
