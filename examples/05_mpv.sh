#!/usr/bin/env bash
# Watch a video at twice its frame rate while it is made, with its sound: 05_mpv.sh [VIDEO]
#
# Activate the environment in which vs-interp is installed first; the .venv of a checkout is activated automatically.
# Any mpv will do; one built with VapourSynth can also seek: mpv --demuxer-lavf-format=vapoursynth SCRIPT.vpy
# y4m has no fields for matrix and range: the video filter sets them, here for BT.709.
set -euo pipefail

examples=$(dirname "$0")
. "$examples/activate.sh"
video=${1:-$examples/../vs_interp/clips/bbb_360p24.mp4}
case $video in /*) ;; *) video=$PWD/$video ;; esac # vspipe changes to the folder of the script

vspipe -c y4m -a "source=$video" "$examples/01_interpolate.vpy" - |
  mpv --vf=format:colormatrix=bt.709:colorlevels=limited --cache=yes --audio-file="$video" -
