# Fetches source packages of Debian, with lists and caches of our own: sourced after lib.sh. The caller
# sets fetched, the folder for all of it; nothing of the system is changed.

# apt with the system's package sources, as sources, and with lists and caches of our own.
own_apt() {
    local program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$fetched/parts" \
        -o Dir::State::lists="$fetched/lists" -o Dir::Cache="$fetched/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

make_source_lists() {
    local file
    rm -rf "$fetched/parts"
    mkdir -p "$fetched/parts" "$fetched/lists/partial" "$fetched/cache/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -n 's/^[[:space:]]*deb\(-src\)\{0,1\}[[:space:]]/deb-src /p' "$file" | sort -u \
            >"$fetched/parts/${file##*/}"
        case $file in *.list) ;; *) mv "$fetched/parts/${file##*/}" "$fetched/parts/main.list" ;; esac
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed 's/^Types:.*/Types: deb-src/' "$file" >"$fetched/parts/${file##*/}"
    done
    # Where a list of sources is there already, the rest would only say the same again.
    if grep -q '^Types: *deb-src *$' /etc/apt/sources.list.d/*.sources 2>/dev/null; then
        for file in /etc/apt/sources.list.d/*.sources; do
            grep -q '^Types:.*deb-src' "$file" || rm -f "$fetched/parts/${file##*/}"
        done
    fi
}

# versions_of NAME: those that are listed, newest first
versions_of() {
    own_apt apt-cache showsrc "$1" |
        awk -v name="$1" '$1 == "Package:" { package = $2 }
                          $1 == "Version:" && package == name { print $2 }' |
        sort -rVu
}

# fetch_source NAME: unpacked as build/debian-source/NAME. The newest version that can be fetched:
# a mirror may list one that it does not have.
fetch_source() {
    local name=$1 version description
    [ ! -d "$fetched/$name" ] || return 0
    for version in $(versions_of "$name"); do
        if (cd "$fetched" &&
                quietly "source-$name" own_apt apt-get --download-only source "$name=$version") \
                2>/dev/null; then
            description=$fetched/${name}_${version#*:}.dsc
            rm -rf "$fetched/$name.new"
            quietly "unpack-$name" dpkg-source --no-check -x "$description" "$fetched/$name.new" || return 1
            mv "$fetched/$name.new" "$fetched/$name"
            say "${0##*/}: $name $version"
            return 0
        fi
    done
    die "no source package of $name can be fetched; see ${logs#"$root"/}/source-$name.log"
}


# ---- other suites and other machines ---------------------------------------------------------
# mirrors: "URI SUITE KEYRING" of the system's own package sources, those of Debian alone
mirrors() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$file" ] || sed -n 's/^deb\(-src\)\{0,1\}[[:space:]]*\(\[[^]]*\]\)\{0,1\}[[:space:]]*//p' "$file" |
            awk '{ print $1, $2, "" }'
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$file" ] || awk '/^URIs:/ { uri = $2 } /^Suites:/ { suite = $2 }
                                 /^Signed-By:/ { key = $2 }
                                 /^$/ { print uri, suite, key; uri = ""; key = "" }
                                 END { print uri, suite, key }' "$file"
    done | awk '$1 ~ /\/debian(-security)?\/?$/'
}

# list_suites TYPE SUITE...: package sources of these suites, from the mirrors that the system uses, and
# checked with the keys that it trusts. TYPE is deb or deb-src.
list_suites() {
    local type=$1 suite uri key wanted
    shift
    rm -rf "$fetched/parts"
    mkdir -p "$fetched/parts" "$fetched/lists/partial" "$fetched/cache/archives/partial"
    for suite in "$@"; do
        wanted='debian/?$'
        case $suite in *-security) wanted='debian-security/?$' ;; esac
        read -r uri key < <(mirrors | awk -v wanted="$wanted" '$1 ~ wanted { print $1, $3; exit }') ||
            die "no mirror of Debian among the system's package sources for $suite"
        printf '%s\n' "Types: $type" "URIs: $uri" "Suites: $suite" "Components: main" \
            "${key:+Signed-By: $key}" '' | sed '/^$/d' >"$fetched/parts/$suite.sources"
    done
}

# upstream_versions NAME: those that are listed, without Debian's part, oldest first
upstream_versions() {
    versions_of "$1" | sed 's/^[0-9]*://; s/-[^-]*$//' | sort -Vu
}

# fetch_upstream NAME VERSION: the makers' own files, as build/.../NAME-VERSION. apt checks them
# against the signed list. Fails where the mirror lists them and does not have them any more.
fetch_upstream() {
    local name=$1 version=$2 full archive
    [ ! -d "$fetched/$name-$version" ] || return 0
    full=$(versions_of "$name" | grep -E "^([0-9]+:)?${version//./\\.}-" | tail -n 1)
    (cd "$fetched" && own_apt apt-get --download-only --tar-only source "$name=$full") \
        >"$logs/source-$name-$version.log" 2>&1 </dev/null || return 1
    archive=$(find "$fetched" -maxdepth 1 -name "${name}_$version.orig.tar.*" ! -name '*.asc' | head -n 1)
    rm -rf "$fetched/unpacking"
    mkdir "$fetched/unpacking"
    tar -xf "$archive" -C "$fetched/unpacking" --strip-components=1 || return 1
    mv "$fetched/unpacking" "$fetched/$name-$version"
}

# fetch_root ARCHITECTURE FOLDER PACKAGE...: unpacks the packages for that machine, and what they
# depend on, in FOLDER; runs nothing of theirs. "+PACKAGE": without what it depends on.
fetch_root() {
    local machine=$1 folder=$2 name archive with=() alone=()
    shift 2
    for name in "$@"; do
        case $name in
            +*) alone+=("${name#+}") ;;
            *) with+=("$name") ;;
        esac
    done
    mkdir -p "$fetched/packages"
    : >"$fetched/status"
    machine_apt() {
        own_apt apt-get -y -o Dir::State="$fetched" -o Dir::State::status="$fetched/status" \
            -o APT::Architecture="$machine" -o APT::Architectures="$machine" -o Debug::NoLocking=1 "$@"
    }
    quietly "update-$machine" machine_apt update ||
        say "${0##*/}: some package lists for $machine are missing, going on"
    rm -rf "$fetched/cache/archives" "$fetched/packages" "$folder"
    mkdir -p "$fetched/cache/archives/partial" "$fetched/packages" "$folder"
    quietly "packages-$machine" machine_apt --no-install-recommends --download-only install "${with[@]}" ||
        return 1
    (cd "$fetched/packages" && quietly "download-$machine" machine_apt download "${alone[@]}") || return 1
    for archive in "$fetched"/cache/archives/*.deb "$fetched"/packages/*.deb; do
        dpkg-deb -x "$archive" "$folder" || return 1
    done
    rm -rf "$fetched/cache/archives" "$fetched/packages"
}
