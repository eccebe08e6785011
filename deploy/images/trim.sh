#!/bin/sh
# Takes out of a virtual environment what no process of Steno reads: tests of packages, type stubs, headers, and the
# debugging symbols of extension modules. Usage: trim.sh VENV
set -eu
site=$(echo "$1"/lib/python3*/site-packages)
find "$site" -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
find "$site" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.a' -o -name '*.c' -o -name '*.h' \) -delete
# Cython's modules come with symbols: 40 MB of av and uvloop. Libraries that auditwheel moved (*.libs) stay as they are:
# strip can break them.
find "$site/av" "$site/uvloop" -name '*.so' -exec strip --strip-unneeded {} +
