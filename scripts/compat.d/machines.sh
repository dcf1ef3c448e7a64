# The cells of scripts/compat for other machines: the module and all unit tests are compiled for them,
# and run with that machine's own httpd, APR, OpenSSL and nghttp2 of Debian, in an emulator of its
# processor (qemu-user); programs for i386 run as they are. The kernel is this one.

# with_machine ARCHITECTURE TRIPLET big|little COMMAND...: the command that runs a program of its; "ROOT"
# in it is where its system is
with_machine() {
    local architecture=$1 triplet=$2 order=$3 rootfs=$compat/root-$1
    local run="${*:4}"
    run=${run//ROOT/$rootfs}
    export CC="$triplet-gcc --sysroot=$rootfs"
    note "$triplet"
    if [ ! -f "$rootfs/complete" ]; then
        fetched=$compat/packages
        list_suites deb $(machine_suites)
        fetch_root "$architecture" "$rootfs" apache2-bin libapr1-dev libaprutil1-dev libnghttp2-dev \
            libssl-dev zlib1g libcmocka-dev libc6-dev +apache2-dev
        touch "$rootfs/complete"
    fi
    make_tools "$rootfs" "$folder/tools" "$run" "$triplet"
    export PKG_CONFIG_LIBDIR=$rootfs/usr/lib/$(library_folder "$rootfs")/pkgconfig
    export PKG_CONFIG_SYSROOT_DIR=$rootfs
    export APXS=$folder/tools/apxs H2_HTTPD=$folder/tools/apache2 H2_BYTE_ORDER=$order
    H2_NGHTTP2=$(pkg-config --modversion libnghttp2)
    export H2_NGHTTP2
    note "$("$H2_HTTPD" -v | sed -n 's,.*Apache/\([0-9.]*\).*,httpd \1,p')"
    build_cell --host="$triplet"
    run_units LOG_COMPILER="${run%% *}" LOG_FLAGS="${run#* }"
    # The emulator has no robust mutexes, which the children of prefork share.
    pytest_options=(-k "not prefork")
    run_pytest integration $emulated
}

# That of this system and its security suite.
machine_suites() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    echo "$codename $codename-security"
}

# The folder of its libraries, such as aarch64-linux-gnu
library_folder() {
    basename "$(dirname "$(dirname "$(find "$1/usr/lib" -name libnghttp2.pc | head -n 1)")")"
}

# make_tools ROOT FOLDER COMMAND TRIPLET: apxs, apu-1-config and apache2 as they would be there.
# apr-1-config knows by itself that it stands elsewhere.
make_tools() {
    local rootfs=$1 tools=$2 run=$3 triplet=$4 include
    mkdir -p "$tools"
    include="-I$rootfs/usr/include/apache2 -I$rootfs/usr/include/apr-1.0"
    cat >"$tools/apache2" <<END
#!/bin/sh
exec $run "$rootfs/usr/sbin/apache2" "\$@"
END
    cat >"$tools/apu-1-config" <<END
#!/bin/sh
"$rootfs/usr/bin/apu-1-config" "\$@" | sed 's#/usr/#$rootfs/usr/#g'
END
    cat >"$tools/apxs" <<END
#!/bin/bash
case "\$*" in
    "-q INCLUDEDIR") echo "$rootfs/usr/include/apache2" ;;
    "-q LIBEXECDIR") echo "$rootfs/usr/lib/apache2/modules" ;;
    "-q SBINDIR") echo "$tools" ;;
    "-q PROGNAME") echo apache2 ;;
    "-q EXTRA_CPPFLAGS") echo "-DLINUX -D_REENTRANT -D_GNU_SOURCE" ;;
    "-q APR_CONFIG") echo "$rootfs/usr/bin/apr-1-config" ;;
    "-q APU_CONFIG") echo "$tools/apu-1-config" ;;
    "-c -o "*) # NAME.la FLAG... SOURCE
        mkdir -p .libs
        exec $triplet-gcc --sysroot="$rootfs" -g -O1 -fPIC -shared -pthread -DLINUX -D_GNU_SOURCE \\
            $include -o ".libs/\${3%.la}.so" "\${@: -1}" ;;
    *) exit 1 ;;
esac
END
    chmod 755 "$tools"/*
}

cell_aarch64() { with_machine arm64 aarch64-linux-gnu little qemu-aarch64 -L ROOT; }
cell_armhf() { with_machine armhf arm-linux-gnueabihf little qemu-arm -L ROOT; }
cell_s390x() { with_machine s390x s390x-linux-gnu big qemu-s390x -L ROOT; }
# In qemu-i386, children of httpd hang or crash when their threads end; without it they do not.
cell_i386() {
    with_machine i386 i686-linux-gnu little ROOT/lib/ld-linux.so.2 --library-path \
        ROOT/lib/i386-linux-gnu:ROOT/usr/lib/i386-linux-gnu
}
