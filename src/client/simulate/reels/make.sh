#!/bin/sh
# Makes the second pictures of the simulated cameras: one group of 24 pictures at 25/s each, as long
# as a group of the built-in test stream, so that one can stand in for the other. Our own patterns,
# no other material. Needs ffmpeg with libx264 and libx265.
set -eu
cd "$(dirname "$0")"

# hevc.h265: 320x180, a bar that crosses the picture.
ffmpeg -v error -y -f lavfi -i "smptebars=s=320x180:r=25:d=0.96" -f lavfi -i "color=c=0xf2b134:s=12x180:r=25:d=0.96" \
  -filter_complex "[0][1]overlay=x='-12+332*mod(t,0.96)/0.96':y=0:eval=frame" \
  -frames:v 24 -c:v libx265 -preset veryslow -pix_fmt yuv420p -fflags +bitexact \
  -x265-params "keyint=24:min-keyint=24:scenecut=0:bframes=0:crf=32:info=0:repeat-headers=1:log-level=none" hevc.h265

# portrait.h264: 360x640, the phone was turned.
ffmpeg -v error -y -f lavfi -i "color=c=0x0d2b3e:s=360x640:r=25:d=0.96" -f lavfi -i "color=c=0x3fb6a8:s=360x24:r=25:d=0.96" \
  -filter_complex "[0][1]overlay=x=0:y='-24+664*mod(t,0.96)/0.96':eval=frame" \
  -frames:v 24 -c:v libx264 -profile:v main -preset veryslow -pix_fmt yuv420p -bf 0 -g 24 -keyint_min 24 \
  -sc_threshold 0 -crf 30 -x264-params "sei=0" -fflags +bitexact -flags:v +bitexact portrait.h264
