#!/usr/bin/env bash
# Watch a video at twice its frame rate while it is made, with its sound: 05_mpv.sh [VIDEO]
#
# Run it where vs-interp is installed and activated, with mpv; beside a checkout's own .venv that happens by itself.
# Any mpv will do; one that is built with VapourSynth can seek, too: mpv --demuxer-lavf-format=vapoursynth SCRIPT.vpy
# y4m says nothing of matrix and range: the filter says it, here for BT.709.
set -euo pipefail

examples=$(dirname "$0")
. "$examples/activate.sh"
video=${1:-$examples/../vs_interp/clips/bbb_360p24.mp4}
case $video in /*) ;; *) video=$PWD/$video ;; esac # vspipe works in the folder of the script

vspipe -c y4m -a "source=$video" "$examples/01_interpolate.vpy" - |
  mpv --vf=format:colormatrix=bt.709:colorlevels=limited --cache=yes --audio-file="$video" -
