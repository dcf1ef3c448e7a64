# A clean Debian 12 to try things in: sourced after steps.sh. Two kinds of running in it: with_network,
# to install packages, and alone, in namespaces of its own, where servers may have any port and end with
# the last process. Both need root.

clean_root_reason() {
    [ "$(id -u)" = 0 ] || { echo "needs root"; return; }
    unshare -m -n -p -f true 2>/dev/null || echo "this machine allows no namespaces"
}

# The archive that this machine's apt takes Debian 12 from.
clean_root_mirror() {
    local mirror=${MIRROR:-}
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' \
        'Component: main' 'Created-By: Packages' 2>/dev/null | head -n 1)
    echo "${mirror%/}"
}

# unpack_root FOLDER NAME: from the cache. NAME_root makes it where it is not there.
unpack_root() {
    local folder=$1 cache=$work/cache/$2.tar
    if [ ! -f "$cache" ]; then
        mkdir -p "$work/cache"
        rm -rf "$folder"
        "$2_root" "$folder"
        tar -C "$folder" --numeric-owner --one-file-system -cf "$cache.new" .
        mv "$cache.new" "$cache"
        return
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    tar -C "$folder" --numeric-owner -xpf "$cache"
}

# debootstrap knows no security updates: httpd's own are wanted, too.
base_root() {
    local mirror
    mirror=$(clean_root_mirror)
    [ -n "$mirror" ] || { echo "apt has no Debian 12: say whence, MIRROR=..." >&2; return 1; }
    debootstrap --variant=minbase --include=ca-certificates bookworm "$1" "$mirror"
    cat >"$1/etc/apt/sources.list" <<LIST
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${mirror%/debian}/debian-security bookworm-security main
LIST
    with_network "$1" apt-get clean
    with_network "$1" apt-get -q update
}

# Debian's httpd, and its packages kept, to be installed again without a network.
httpd_root() {
    unpack_root "$1" base
    install_in "$1" apache2 curl openssl
    with_network "$1" apt-get -q -y --download-only --reinstall install apache2 apache2-bin apache2-data \
        apache2-utils
}

# What it takes to build from source, with httpd's apxs and without pkg-config.
source_root() {
    unpack_root "$1" httpd
    install_in "$1" gcc libc6-dev make xz-utils apache2-dev libnghttp2-dev libssl-dev libcmocka-dev
}

install_in() {
    local folder=$1
    shift
    printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
    chmod 755 "$folder/usr/sbin/policy-rc.d"
    with_network "$folder" apt-get -q update
    with_network "$folder" apt-get -q -y --no-install-recommends install "$@"
    rm "$folder/usr/sbin/policy-rc.d"
}

root_environment=(env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                  LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)

# with_network FOLDER COMMAND...
with_network() {
    local folder=$1
    shift
    cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
    unshare -m -p -f --kill-child sh -c 'mount -t proc proc "$1/proc" && root=$1 && shift &&
        exec chroot "$root" "$@"' sh "$folder" "${root_environment[@]}" "$@"
}

# alone FOLDER COMMAND...
alone() {
    local folder=$1
    shift
    unshare -m -n -p -f --kill-child sh -c 'ip link set lo up && mount -t proc proc "$1/proc" &&
        mount -t tmpfs tmpfs "$1/dev/shm" && root=$1 && shift && exec chroot "$root" "$@"' \
        sh "$folder" "${root_environment[@]}" "$@"
}

# add_counts LOG: what a script in the root has counted
add_counts() {
    local counts
    counts=$("$root/scripts/count-tests" line "$1" "$2")
    set -- $counts
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

# run_in_root NAME FOLDER COMMAND...: one that prints lines of its own and counts them
run_in_root() {
    local log=$logs/package-$1.log status=0
    shift
    alone "$@" 2>&1 </dev/null | tee "$log" | grep -v -E '^([0-9]+ passed|\+)' || true
    grep -qE '^[0-9]+ passed, 0 failed, ' "$log" || status=1
    add_counts "$log" $status
}

# check_in_clean_root FOLDER-OF-PACKAGES
check_in_clean_root() {
    local reason folder=$work/root
    reason=$(clean_root_reason)
    if [ -n "$reason" ]; then
        skip "the package in a clean Debian: $reason"
        return
    fi
    check "a clean Debian 12 with its own httpd" unpack_root "$folder" httpd
    install -d "$folder/try"
    cp "$1"/libapache2-mod-h2_*.deb "$root/scripts/package.d/try-package" "$folder/try/"
    run_in_root try-package "$folder" /try/try-package
    rm -rf "$folder"
    check "a clean Debian 12 with a compiler and without pkg-config" unpack_root "$folder" source
    install -d "$folder/try"
    cp "$work/$tarball" "$root/scripts/package.d/try-source" "$folder/try/"
    run_in_root try-source "$folder" /try/try-source
    rm -rf "$folder"
}
