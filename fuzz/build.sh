#!/bin/sh
# Builds the fuzz targets as OSS-Fuzz does, each into $OUT with its dictionary and its seed corpus.
# SPDX-License-Identifier: MIT
#
#   CC, CFLAGS               the compiler and the sanitizer's flags, which OSS-Fuzz gives
#   LIB_FUZZING_ENGINE       what the targets are linked with
#   OUT, WORK                where the targets go, and where there is room to build them
#   OPTIONS                  for cmake; else nothing that is merely faster and not on every machine
#
# tests/run.sh fuzz builds with it, too. By hand:
#
#   OUT=/tmp/out WORK=/tmp/work sh fuzz/build.sh
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
: "${OUT:?where the targets shall go}" "${WORK:?where they are built}"
: "${CC:=clang}" "${LIB_FUZZING_ENGINE:=-fsanitize=fuzzer}"
: "${CFLAGS=-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all}"
: "${OPTIONS=-DTERN_NETTLE=OFF -DTERN_IPSEC_MB=OFF -DTERN_ZSTD=OFF}"
export CC CFLAGS
mkdir -p "$OUT" "$WORK"
OUT=$(cd "$OUT" && pwd)

# shellcheck disable=SC2086
cmake -S . -B "$WORK" -DCMAKE_BUILD_TYPE=None -DTERN_TESTS=OFF -DTERN_APPS=OFF -DTERN_SQLITE=OFF \
    -DTERN_FUZZ=ON "-DTERN_FUZZ_ENGINE=$LIB_FUZZING_ENGINE" -DTERN_SANITIZE= $OPTIONS
cmake --build "$WORK" -j "$(nproc 2>/dev/null || echo 2)" --target fuzz_targets seeds

for source in fuzz/fuzz_*.c; do
    target=${source##*/}
    target=${target%.c}
    cp "$WORK/bin/$target" "$OUT"
    rm -f "$OUT/${target}_seed_corpus.zip"
    (cd "fuzz/corpus/$target" && cmake -E tar cf "$OUT/${target}_seed_corpus.zip" --format=zip .)
    [ ! -f "fuzz/$target.dict" ] || cp "fuzz/$target.dict" "$OUT"
done
