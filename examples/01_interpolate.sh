#!/usr/bin/env bash
# Encode a video at twice its frame rate, with the sound of the source: 01_interpolate.sh [VIDEO [OUTPUT]]
#
# Activate the environment in which vs-interp is installed first; the .venv of a checkout is activated automatically.
# y4m has no fields for matrix, range, primaries and transfer: the options before `-i -` give them, here for BT.709.
set -euo pipefail

examples=$(dirname "$0")
. "$examples/activate.sh"
video=${1:-$examples/../vs_interp/clips/bbb_360p24.mp4}
case $video in /*) ;; *) video=$PWD/$video ;; esac # vspipe changes to the folder of the script
output=${2:-interpolated.mkv}

vspipe -c y4m -a "source=$video" "$examples/01_interpolate.vpy" - |
  "$ffmpeg" -n -v warning \
    -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709 -i - -i "$video" \
    -map 0:v -map '1:a?' -c:v libx264 -crf 16 -c:a copy \
    -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709 "$output"
