#!/bin/sh
# The wheels that a measuring run needs, carried to a machine that has torch for its card and no network.
#
#   tests/gpu/wheels.sh pack FOLDER [--python 3.12] [--all]    here, with a network; Linux on x86-64
#   tests/gpu/wheels.sh install FOLDER SITE                    there; SITE is called site-packages
#
# `pack` writes FOLDER/part.aa, part.ab ... of at most 50 MB (PART_MB), so that they can travel one by one, and
# their hash. Left out are torch with what it brings, and, without --all, the large packages of large.txt, which
# most machines with torch have. `install` asks the network for nothing and changes nothing outside SITE, which
# goes first on PYTHONPATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

pack() {
    [ $# -ge 1 ] || usage
    folder=$1 version=3.12 large=
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --python) version=${2:?"--python needs a version"} && shift 2 ;;
            --all) large=yes && shift ;;
            *) usage ;;
        esac
    done
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    platforms=
    for tag in manylinux1 manylinux2010 manylinux2014 $(seq -f 'manylinux_2_%g' 5 39); do
        platforms="$platforms --platform ${tag}_x86_64"
    done
    # Without dependencies: pip would bring another torch, of gigabytes.
    python3 -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version "$version" \
        $platforms --constraint "$here/../../constraints.txt" --requirement "$here/needs.txt" \
        ${large:+--requirement "$here/large.txt"} --dest "$wheels"
    mkdir -p "$folder"
    rm -f "$folder"/part.* "$folder"/sha256
    (cd "$wheels" && tar -cf - ./*.whl) >"$wheels/all.tar"
    sha256sum <"$wheels/all.tar" >"$folder/sha256"
    split -b "${PART_MB:-50}MB" "$wheels/all.tar" "$folder/part."
    wc -c "$folder"/part.*
}

install() {
    [ $# -eq 2 ] || usage
    # dill, with which datasets hashes what it maps, takes a package anywhere else for the user's own code, and fails.
    [ "$(basename "$2")" = site-packages ] || {
        echo "received the folder $2, expected one that is called site-packages" >&2
        exit 2
    }
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    cat "$1"/part.* >"$wheels/all.tar"
    sha256sum --quiet --check "$1/sha256" <"$wheels/all.tar" || {
        echo "the parts in $1 are not all there, expected those that were packed together" >&2
        exit 1
    }
    tar -C "$wheels" -xf "$wheels/all.tar"
    python3 -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$2" "$wheels"/*.whl
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
    pack | install) "$verb" "$@" ;;
    *) usage ;;
esac
