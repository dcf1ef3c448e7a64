# The cells of scripts/compat with other versions of httpd and nghttp2, as their makers released them.

httpd_least=2.4.57
nghttp2_least=1.52.0

# Where the versions come from. The security suites keep what the others have no more.
suites="bullseye-security bookworm bookworm-security trixie trixie-security sid"

list_sources() {
    fetched=$compat/sources
    mkdir -p "$fetched"
    [ ! -f "$fetched/listed" ] || return 0
    list_suites deb-src $suites
    quietly compat-lists own_apt apt-get update
    touch "$fetched/listed"
}

# choose NAME oldest|newest LEAST: the version that can be fetched, among those from LEAST on; remembered
choose() {
    local memory=$fetched/$1-$2-$3 version versions
    if [ ! -s "$memory" ]; then
        versions=$(upstream_versions "$1" | at_least "$3")
        [ "$2" = oldest ] || versions=$(printf '%s\n' "$versions" | sort -rV)
        for version in $versions; do
            if fetch_upstream "$1" "$version"; then
                echo "$version" >"$memory"
                break
            fi
        done
    fi
    [ -s "$memory" ] || skip "no source of $1 from $3 on can be fetched"
    cat "$memory"
}

# at_least VERSION: those of its input that are not older
at_least() {
    local version
    while read -r version; do
        [ "$(printf '%s\n' "$1" "$version" | sort -V | head -n 1)" != "$1" ] || echo "$version"
    done
}

installed_httpd() {
    "$(httpd_of "$(find_apxs)")" -v | sed -n 's,.*Apache/\([0-9.]*\).*,\1,p'
}

# ---- httpd -----------------------------------------------------------------------------------
# with_httpd VERSION: built from its source, with the system's APR
with_httpd() {
    local version=$1 prefix=$compat/httpd-$1
    note "httpd $version"
    if [ ! -f "$prefix/built" ]; then
        rm -rf "$prefix" "$compat/building"
        cp -a "$fetched/apache2-$version" "$compat/building"
        (build_httpd "compat-httpd-$version" "$compat/building" "$prefix" \
            "$(command -v apr-1-config)" "$(command -v apu-1-config)" "-g -O2" "")
        rm -rf "$compat/building"
        touch "$prefix/built"
    fi
    export APXS=$prefix/bin/apxs
    build_cell
    run_units
    run_pytest integration $core
}

cell_httpd-oldest() {
    local version
    list_sources
    version=$(choose apache2 oldest $httpd_least) || exit
    with_httpd "$version"
}

cell_httpd-newest() {
    local version
    list_sources
    version=$(choose apache2 newest $httpd_least) || exit
    [ "$(printf '%s\n' "$version" "$(installed_httpd)" | sort -V | tail -n 1)" != "$(installed_httpd)" ] ||
        skip "$version is the newest source, the installed httpd is $(installed_httpd)"
    with_httpd "$version"
}

# What ap_mmn.h says came after 2.4.57, as far as a module can use it.
later="ap_get_pollfd_from_conn ap_set_content_type_ex AP_REQUEST_TRUSTED_CT AP_SLASHES AP_IS_SLASH
       CONN_STATE_ASYNC_WAITIO CONN_STATE_KEEPALIVE CONN_STATE_PROCESSING AP_MPMQ_CAN_WAITIO
       ap_set_time_process_request ap_stat_check ap_memeq_timingsafe ap_streq_timingsafe
       ap_strcmp_timingsafe"

# The headers of the installed httpd as those of 2.4.57: its numbers, and without what came later.
headers_of_least() {
    local from=$1 to=$2 name script=
    rm -rf "$to"
    cp -rL "$from" "$to"
    for name in $later; do
        script="$script;s/\\<$name\\>/came_later_$name/g"
    done
    sed -i "${script#;}" "$to"/*.h
    sed -i 's/^\(#define MODULE_MAGIC_NUMBER_MINOR\)[ \t]*[0-9]*/\1 128/' "$to/ap_mmn.h"
    sed -i "s/^\\(#define AP_SERVER_PATCHLEVEL_NUMBER\\)[ \\t]*[0-9]*/\\1 ${httpd_least##*.}/" "$to/ap_release.h"
}

cell_httpd-2.4.57() {
    local real
    real=$(find_apxs)
    headers_of_least "$("$real" -q INCLUDEDIR)" "$folder/include"
    cat >"$folder/apxs" <<END
#!/bin/sh
[ "\$*" != "-q INCLUDEDIR" ] || { echo "$folder/include"; exit 0; }
exec "$real" "\$@"
END
    chmod 755 "$folder/apxs"
    note "headers of httpd $(installed_httpd) without what came after 2.4.57"
    APXS=$folder/apxs build_cell
    run_units
    run_pytest integration $core
}

# ---- nghttp2 ---------------------------------------------------------------------------------
# with_nghttp2 VERSION
with_nghttp2() {
    local version=$1 prefix=$compat/nghttp2-$1
    note "nghttp2 $version"
    if [ ! -f "$prefix/built" ]; then
        rm -rf "$prefix" "$compat/building"
        cp -a "$fetched/nghttp2-$version" "$compat/building"
        (
            cd "$compat/building"
            [ -x configure ] || quietly "compat-nghttp2-$version-autoreconf" autoreconf -i
            quietly "compat-nghttp2-$version-configure" ./configure --prefix="$prefix" --enable-lib-only \
                --disable-static
            quietly "compat-nghttp2-$version-make" make -j"$jobs"
            quietly "compat-nghttp2-$version-install" make install
        )
        rm -rf "$compat/building"
        touch "$prefix/built"
    fi
    # For mod_proxy_http2 as well: a process has one library of a name, and whoever is first chooses it.
    export LD_LIBRARY_PATH=$prefix/lib
    build_cell --with-nghttp2="$prefix"
    run_units
    run_pytest integration $core priority push
    run_pytest conformance all
    run_pytest attack floods errors
}

cell_nghttp2-oldest() {
    local version
    list_sources
    version=$(choose nghttp2 oldest $nghttp2_least) || exit
    with_nghttp2 "$version"
}

cell_nghttp2-next() {
    local version
    list_sources
    version=$(choose nghttp2 oldest "$(pkg-config --modversion libnghttp2)a") || exit
    with_nghttp2 "$version"
}

cell_nghttp2-newest() {
    local version
    list_sources
    version=$(choose nghttp2 newest $nghttp2_least) || exit
    with_nghttp2 "$version"
}
