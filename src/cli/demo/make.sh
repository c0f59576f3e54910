#!/bin/sh
# Makes stream.flv, the built-in test stream: our own pattern and tones, no other material.
#
# 9.6 s are 240 pictures at 25/s and 450 AAC frames at 48 kHz, both exactly, so that the loop has no
# seam. A keyframe every 0.96 s, no B-frames. Needs ffmpeg with libx264 and the DejaVu fonts.
set -eu
cd "$(dirname "$0")"
font=/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
ffmpeg -v error -y \
  -f lavfi -i "color=c=0x0d2b3e:s=640x360:r=25:d=9.6" \
  -f lavfi -i "smptebars=s=640x72:r=25:d=9.6" \
  -f lavfi -i "color=c=0x3fb6a8:s=14x14:r=25:d=9.6" \
  -f lavfi -i "color=c=0xf2b134:s=640x6:r=25:d=9.6" \
  -f lavfi -i "aevalsrc=0.04*sin(2*PI*220*t)+0.03*sin(2*PI*330*t)+0.25*sin(2*PI*880*t)*lt(mod(t\,0.96)\,0.06):s=48000:d=9.6" \
  -filter_complex "
    [1]crop=640:48:0:0[strip]; [0][strip]overlay=0:312[bars];
    [bars][3]overlay=x='-640+640*mod(t,0.96)/0.96':y=306:eval=frame[sweep];
    [sweep][2]overlay=x='313+250*sin(2*PI*t/4.8)':y='196+70*cos(2*PI*t/2.4)':eval=frame[ball];
    [ball]drawtext=fontfile=$font:text='Millstream':fontcolor=white:fontsize=64:x=(w-tw)/2:y=44,
    drawtext=fontfile=$font:text='test stream':fontcolor=0x8fd3c9:fontsize=22:x=(w-tw)/2:y=120,
    drawtext=fontfile=$font:text='%{eif\:floor(mod(n\,240)/25)\:d\:2}.%{eif\:mod(n\,25)*4\:d\:2}':fontcolor=0xf2b134:fontsize=44:x=(w-tw)/2:y=186[v]" \
  -map "[v]" -map 4:a -frames:a 450 \
  -c:v libx264 -profile:v main -preset veryslow -tune animation -pix_fmt yuv420p -bf 0 -g 24 -keyint_min 24 \
  -sc_threshold 0 -b:v 150k -maxrate 220k -bufsize 220k \
  -c:a aac -ac 1 -b:a 40k -fflags +bitexact -flags:v +bitexact -flags:a +bitexact stream.flv
