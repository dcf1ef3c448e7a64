# The steps of scripts/package and scripts/fresh: sourced after lib.sh, not run.
passed=0
failed=0
skipped=0

# check SENTENCE COMMAND...: runs it, and prints a line
check() {
    local name=$1 log started=$SECONDS status=0
    log=$logs/package-$(printf '%s' "$1" | tr -c 'a-zA-Z0-9' - | cut -c 1-60).log
    shift
    # In a shell of its own that ends with the first command that fails.
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        printf 'ok    %s (%d s)\n' "$name" $((SECONDS - started))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$name"
        tail -n 30 "$log" | cut -c 1-300 | sed 's/^/      /'
        printf '      all of it is in %s\n' "${log#"$root"/}"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf 'skip  %s\n' "$*"
}

say_counts() {
    say "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
}

# ---- sources ---------------------------------------------------------------------------------
find_epoch() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    elif [ -e "$root/.git" ]; then
        git -C "$root" -c safe.directory="$root" log -1 --format=%ct
    else
        stat -c %Y "$root/NEWS"
    fi
}

# The names of all files that are ours: what git would keep, or, in an unpacked tarball, all but what a
# build leaves there.
source_files() {
    if [ -e "$root/.git" ]; then
        (cd "$root" && git -c safe.directory="$root" ls-files -c -o --exclude-standard |
             while IFS= read -r name; do [ ! -e "$name" ] || printf '%s\n' "$name"; done)
    else
        (cd "$root" && find . \( -path ./build -o -name autom4te.cache -o -name .libs -o -name .deps \
             -o -name __pycache__ \) -prune -o ! -type d ! -name '*.o' ! -name '*.lo' ! -name '*.la' \
             ! -path ./Makefile ! -path ./config.status ! -path ./config.log ! -path ./libtool -print) |
            sed 's#^\./##'
    fi
}

copy_sources() {
    rm -rf "$1"
    mkdir -p "$1"
    source_files | tar -C "$root" -cf - -T - | tar -C "$1" --no-same-owner -xf -
}

# make_tarball FOLDER FILE: from a copy of the sources, in which nothing else lies. Left to itself,
# autoreconf takes libtool's macros from one place or the other, as the clock has it.
make_tarball() {
    copy_sources "$1"
    (cd "$1" && libtoolize --copy && autoreconf -i && ./configure && make dist)
    mv "$1/${2##*/}" "$2"
}

# ---- Debian ----------------------------------------------------------------------------------
# make_debian_folder FOLDER [REVISION]
make_debian_folder() {
    local folder=$1 name
    local maintainer="${DEBFULLNAME:-mod_h2 maintainers} <${DEBEMAIL:-mod_h2@packages.invalid}>"
    cp -r "$root/scripts/package.d/debian" "$folder"
    chmod -R u=rwX,go=rX "$folder"
    sed -i "s/@MAINTAINER@/$maintainer/" "$folder/control"
    for name in postinst postrm; do
        sed -i -e "/^@RESTART@\$/{r $root/scripts/package.d/debian/restart.sh" -e 'd}' \
            "$folder/libapache2-mod-h2.$name"
    done
    rm "$folder/restart.sh"
    "$root/scripts/package.d/news-to-changelog" "$root/NEWS" "${2:-1}" "$maintainer" \
        "$SOURCE_DATE_EPOCH" >"$folder/changelog"
    chmod 644 "$folder/changelog"
}

# build_deb FOLDER TARBALL: the source and the binary package in FOLDER
build_deb() {
    local folder=$1 source=$1/mod-h2-$version
    rm -rf "$folder"
    mkdir -p "$source"
    cp "$2" "$folder/mod-h2_$version.orig.tar.xz"
    tar -C "$source" --strip-components=1 -xf "$2"
    make_debian_folder "$source/debian"
    (cd "$source" &&
         DEB_BUILD_OPTIONS="parallel=$jobs ${DEB_BUILD_OPTIONS:-}" dpkg-buildpackage -us -uc)
}

# As root lintian only warns of itself being run so.
run_lintian() {
    local options=(--info --pedantic --display-info --fail-on error,warning,info,pedantic)
    [ "$(id -u)" != 0 ] || options+=(--allow-root)
    lintian "${options[@]}" "$1"/mod-h2_*.changes
}

# ---- RPM -------------------------------------------------------------------------------------
make_spec() {
    rm -rf "$1"
    mkdir -p "$1"
    LC_ALL=C sed -e "s/@VERSION@/$version/" "$root/scripts/package.d/mod_h2.spec.in" >"$1/mod_h2.spec"
    "$root/scripts/package.d/news-to-changelog" --rpm "$root/NEWS" 1 \
        "${DEBFULLNAME:-mod_h2 maintainers} <${DEBEMAIL:-mod_h2@packages.invalid}>" \
        "$SOURCE_DATE_EPOCH" >>"$1/mod_h2.spec"
}

rpm_source_package() {
    rpmbuild --define "_topdir $work/rpm" --define "_sourcedir $work" --nodeps -bs "$work/rpm/mod_h2.spec"
}

run_rpmlint() {
    rpmlint --rpmlintrc "$root/scripts/package.d/rpmlintrc" "$1/mod_h2.spec" | tee "$1/rpmlint.log"
    grep -q ' 0 errors, 0 warnings' "$1/rpmlint.log"
}
