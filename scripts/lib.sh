# Shared by the scripts: sourced, not run. Everything that they make lies in build/.
#
#   build/                the normal build, build/mod_http2.so
#   build/asan, tsan ...  builds with other options
#   build/src             links to the sources, so that autotools' files do not land beside them
#   build/log             the output of each step

set -euo pipefail
umask 022
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
logs=$build/log
jobs=${H2_JOBS:-$(nproc 2>/dev/null || echo 2)}
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
mkdir -p "$logs"

say() {
    printf '%s\n' "$*"
}

# usage: the comment at the top of the script that sources this file
usage() {
    sed -n '2,/^\./s/^# \{0,1\}//p' "$0"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# quietly NAME COMMAND...: runs it with its output in build/log/NAME.log, shown where it fails
quietly() {
    local log=$logs/$1.log
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        return 0
    fi
    printf '%s: failed: %s\n' "${0##*/}" "$*" >&2
    {
        grep -E -A 5 '(error|undefined reference|warning):?' "$log" | head -n 60 || true
        echo ...
        tail -n 20 "$log"
    } | sed "s#$build/src/##g" | cut -c 1-300 >&2
    printf '%s: all of it is in %s\n' "${0##*/}" "${log#"$root"/}" >&2
    return 1
}

# The apxs of the httpd to build and run with; APXS in the environment chooses another.
find_apxs() {
    local name
    for name in ${APXS:-apxs2 apxs}; do
        if PATH=$PATH:/usr/sbin command -v "$name"; then
            return 0
        fi
    done
    die "no apxs: install apache2-dev, or set APXS to the one of your httpd"
}

# httpd_of APXS: its httpd program
httpd_of() {
    printf '%s/%s\n' "$("$1" -q SBINDIR 2>/dev/null)" "$("$1" -q PROGNAME 2>/dev/null)"
}

# Renews build/src. A link per file: an in-tree build beside the sources does not leak into ours.
link_sources() {
    local source=$build/src file
    mkdir -p "$source"
    for file in configure.ac Makefile.am; do
        ln -sf "$root/$file" "$source/$file"
    done
    for file in docs scripts NEWS; do
        ln -sfn "$root/$file" "$source/$file"
    done
    rm -rf "$source/mod_h2" "$source/test/unit"
    (cd "$root" && find mod_h2 test/unit -type f \( -name '*.[ch]' -o -name '*.am' \) -print) |
        while IFS= read -r file; do
            mkdir -p "$source/${file%/*}"
            ln -s "$root/$file" "$source/$file"
        done
}

build_steps() {
    local name=$1 folder=$2 options
    shift 2
    link_sources
    if [ ! -f "$build/src/configure" ] || [ ! -f "$build/src/Makefile.in" ]; then
        quietly autoreconf autoreconf -i "$build/src" || return 1
    fi
    mkdir -p "$folder"
    # What was not there, or was an older one, when it was configured last must be looked for again.
    options=$(printf '%s\n' "CC=${CC:-} CFLAGS=${CFLAGS:-}" "$@" \
        "$(pkg-config --modversion libnghttp2 openssl cmocka 2>&1)" "$(command -v pandoc)")
    if [ ! -f "$folder/config.status" ] || [ ! -f "$folder/Makefile" ] ||
        [ "$options" != "$(cat "$folder/.options" 2>/dev/null)" ]; then
        rm -f "$folder/.options"
        if [ -f "$folder/Makefile" ]; then
            make -C "$folder" -s clean >/dev/null 2>&1 || true
        fi
        (cd "$folder" && quietly "configure-$name" "$build/src/configure" "$@") || return 1
        printf '%s\n' "$options" >"$folder/.options"
    fi
    quietly "make-$name" make -C "$folder" -j"$jobs" || return 1
}

# build_module NAME FOLDER CONFIGURE-OPTION...: one at a time, as all share build/src
build_module() {
    (
        flock 9
        build_steps "$@"
    ) 9>"$build/.lock"
}
