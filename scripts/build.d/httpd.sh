# Builds httpd from its sources with all that the tests need: sourced after lib.sh.

# build_httpd NAME SOURCE PREFIX APR APR-UTIL CFLAGS LDFLAGS: in the folder SOURCE itself. APR and
# APR-UTIL are what configure's --with-apr and --with-apr-util take. NAME is that of the logs.
build_httpd() {
    local name=$1 prefix=$3 apr=$4 apr_util=$5 cflags=$6 ldflags=$7
    cd "$2"
    [ -x configure ] || quietly "$name-buildconf" ./buildconf --with-apr="${2%/*}/apr" \
        --with-apr-util="${2%/*}/apr-util"
    quietly "$name-configure" ./configure --prefix="$prefix" --with-apr="$apr" \
        --with-apr-util="$apr_util" --enable-mpms-shared="event worker prefork" --with-mpm=event \
        --enable-mods-shared=most --enable-ssl=shared --enable-cgi=shared --enable-cgid=shared \
        --enable-proxy=shared --enable-proxy-http=shared --enable-proxy-http2=shared --enable-brotli=shared \
        --enable-deflate=shared --enable-ratelimit=shared --enable-reqtimeout=shared \
        --enable-include=shared --enable-http2=shared --enable-echo=shared --enable-bucketeer=shared \
        --disable-ldap --disable-authnz-ldap --disable-lua --disable-md --disable-session-crypto \
        --disable-suexec --with-program-name=httpd \
        CC="${CC:-gcc}" CFLAGS="$cflags" LDFLAGS="$ldflags" \
        CPPFLAGS="-DBUILD_DATETIME='\"unknown\"'"
    quietly "$name-make" make -j"$jobs"
    quietly "$name-install" make install
}
