#!/usr/bin/env bash
# Debian packages that some tests use when they are there. Without apt or root, the tests do without.
set -euo pipefail

packages=(
  libportaudio2 # the microphone, for the `mic` extra
  chromium      # tests/browser
  firefox-esr   # tests/browser/test_firefox.py
  catatonit     # the pause of pods, tests/images
  prometheus    # tests/integration/test_prometheus.py
  fonts-inter   # what its screenshots are written in
  # a speaker for Firefox that nobody hears, and tests/desktop: an X server, a window manager, a tray, a microphone that plays a clip, programs to type into
  xvfb openbox xdotool xterm xclip trayer
  sway wtype wl-clipboard # the same on Wayland
  pulseaudio pulseaudio-utils libasound2-plugins
  libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libegl1 libgl1
)

missing=()
for package in "${packages[@]}"; do
  dpkg --status "$package" >/dev/null 2>&1 || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0
if ! command -v apt-get >/dev/null || [[ $(id -u) -ne 0 ]]; then
  echo "system packages: going on without ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >/dev/null; then
  echo "system packages: could not install ${missing[*]}; going on without" >&2
fi
