#!/usr/bin/env bash
# Convert a film with several workers of a Dask cluster, here all on this machine: 06_many_machines.sh [VIDEO [OUTPUT]]
#
# Activate the environment in which "vs-interp[cluster]" is installed first; the .venv of a checkout is activated
# automatically.  With many machines, run the scheduler on one of them (--host its address) and `vs-interp worker
# ADDRESS` on each of the others, once for every GPU (--device 0, --device 1, …).  All must see the film under the same
# path; otherwise give --map.
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
