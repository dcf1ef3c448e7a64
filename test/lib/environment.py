# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the tests run with: httpd, the module, the build folder, the time that things may take.

MOD_H2_SO       the mod_http2.so to test (required)
MOD_H2_BUILD    folder for everything that the tests write (default: build/ of the checkout)
H2_HTTPD        the httpd binary (default: apache2 of the system)
H2_APXS         its apxs (default: the one beside it)
H2_SANITIZER    asan or tsan, when the module (and httpd) are built with it
H2_BYTE_ORDER   big or little: that of httpd, where it is not this machine's (default: the same)
H2_NGHTTP2      version of nghttp2, where the module is none for this machine (default: asked)
H2_LOGLEVEL     LogLevel of http2 in the tests' servers (default: info)
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from functools import lru_cache
from pathlib import Path

TEST_DIR = Path(__file__).resolve().parents[1]
CHECKOUT = TEST_DIR.parent
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"

sanitizer = os.environ.get("H2_SANITIZER", "")
byte_order = {"big": ">", "little": "<", "": "="}[os.environ.get("H2_BYTE_ORDER", "")]
log_level = os.environ.get("H2_LOGLEVEL", "info")

# How much longer things may take where every memory access is checked.
SLOWER = {"": 1, "asan": 4, "tsan": 10}[sanitizer]


def module_so():
    path = os.environ.get("MOD_H2_SO")
    if not path:
        raise RuntimeError("set MOD_H2_SO to the mod_http2.so to test")
    path = Path(path).resolve()
    if not path.is_file():
        raise RuntimeError("MOD_H2_SO: no such file: %s" % path)
    return path


@lru_cache(None)
def build_dir():
    path = Path(os.environ.get("MOD_H2_BUILD") or CHECKOUT / "build").resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


@lru_cache(None)
def scratch_dir():
    """This run's folder, integration/run-PID of the build folder; those of earlier runs go.

    As root, httpd's children run as another user: where that user cannot come to the build
    folder, a folder for temporary files is used instead, with a link to it. The same where the
    path is too long for a socket."""
    parent = build_dir() / "integration"
    parent.mkdir(exist_ok=True)
    for old in parent.glob("run-*"):
        if not Path("/proc", old.name[4:]).exists():
            _remove_run(old)
    run = parent / ("run-%d" % os.getpid())
    _remove_run(run)
    if _others_reach(build_dir()) and len(str(run)) < 70:
        run.mkdir()
        real = run
    else:
        real = Path(tempfile.mkdtemp(prefix="h2test-"))
        run.symlink_to(real)
    parent.chmod(0o755)
    real.chmod(0o755)
    return real


def remove_scratch_dir():
    _remove_run(build_dir() / "integration" / ("run-%d" % os.getpid()))


def _remove_run(run):
    if run.is_symlink():
        shutil.rmtree(os.readlink(run), ignore_errors=True)
        run.unlink()
    shutil.rmtree(run, ignore_errors=True)


def _others_reach(path):
    return os.geteuid() != 0 or all(p.stat().st_mode & 0o001 for p in [path, *path.parents])


@lru_cache(None)
def httpd_binary():
    given = os.environ.get("H2_HTTPD")
    found = given or shutil.which("apache2", path=SYSTEM_PATH) or shutil.which(
        "httpd", path=SYSTEM_PATH)
    if not found:
        raise RuntimeError("no httpd found; install apache2 or set H2_HTTPD")
    return Path(found).resolve()


@lru_cache(None)
def apxs():
    if os.environ.get("H2_APXS"):
        return Path(os.environ["H2_APXS"])
    if os.environ.get("H2_HTTPD"):
        for folder in ("../bin", "../sbin", "."):
            path = httpd_binary().parent / folder / "apxs"
            if path.is_file():
                return path.resolve()
    found = shutil.which("apxs", path=SYSTEM_PATH) or shutil.which("apxs2", path=SYSTEM_PATH)
    if not found:
        raise RuntimeError("no apxs found; install apache2-dev")
    return Path(found)


@lru_cache(None)
def modules_dir():
    return Path(_output([str(apxs()), "-q", "LIBEXECDIR"]).strip())


@lru_cache(None)
def static_modules():
    return {line.strip() for line in _output([str(httpd_binary()), "-l"]).splitlines()}


@lru_cache(None)
def httpd_version():
    """As a tuple, such as (2, 4, 71)."""
    word = _output([str(httpd_binary()), "-v"]).split("Apache/")[1].split()[0]
    return tuple(int(n) for n in word.split("."))


@lru_cache(None)
def nghttp2_version():
    """That of the library which the module is loaded with, such as (1, 52, 0)."""
    if os.environ.get("H2_NGHTTP2"):
        return tuple(map(int, os.environ["H2_NGHTTP2"].split(".")))
    line = next(l for l in _output(["ldd", str(module_so())]).splitlines() if "libnghttp2" in l)
    library = ctypes.CDLL(line.split("=>")[1].split()[0])
    library.nghttp2_version.restype = ctypes.POINTER(ctypes.c_int)
    number = library.nghttp2_version(0)[1]          # behind the age of its struct
    return number >> 16, number >> 8 & 255, number & 255


def has_module(name):
    """Is httpd's module `name` (such as "brotli") there, as a file or built in?"""
    return (modules_dir() / ("mod_%s.so" % name)).is_file() or is_static(name)


def is_static(name):
    return "mod_%s.c" % name in static_modules() or (
        name.startswith("mpm_") and name[4:] + ".c" in static_modules())


@lru_cache(None)
def test_module(name):
    """The path of test/modules/NAME.so, built by apxs when the source is newer."""
    source = TEST_DIR / "modules" / (name + ".c")
    folder = build_dir() / "test-modules" / (sanitizer or "plain")
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / (name + ".so")
    if not built.is_file() or built.stat().st_mtime < source.stat().st_mtime:
        shutil.copy(source, folder)
        flags = ["-Wc,-Wall -Wextra -g"]
        if sanitizer == "tsan":
            flags += ["-Wc,-fsanitize=thread", "-Wl,-fsanitize=thread"]
        result = subprocess.run([str(apxs()), "-c", "-o", name + ".la", *flags, name + ".c"],
                                cwd=folder, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError("apxs failed:\n" + result.stdout + result.stderr)
        shutil.copy(folder / ".libs" / (name + ".so"), built)
    return built


@lru_cache(None)
def test_library(name):
    """The path of test/modules/NAME.c as a library for LD_PRELOAD, built when the source is newer."""
    source = TEST_DIR / "modules" / (name + ".c")
    folder = build_dir() / "test-modules"
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / ("lib%s.so" % name)
    if not built.is_file() or built.stat().st_mtime < source.stat().st_mtime:
        _output([os.environ.get("CC", "gcc"), "-Wall", "-Wextra", "-g", "-O1", "-fPIC", "-shared",
                 "-o", str(built), str(source), "-ldl", "-pthread"])
    return built


def sanitizer_library():
    """The sanitizer's library; "": there is none."""
    if not sanitizer:
        return ""
    return _output([os.environ.get("CC", "gcc"), "-print-file-name=lib%s.so" % sanitizer]).strip()


def sanitizer_env():
    """Environment for an httpd that loads a module built with a sanitizer."""
    env = {}
    if sanitizer == "asan":
        env["ASAN_OPTIONS"] = os.environ.get(
            "ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1:detect_odr_violation=0")
        env["UBSAN_OPTIONS"] = os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1")
        library = "libasan.so"
    elif sanitizer == "tsan":
        env["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "second_deadlock_stack=1")
        library = "libtsan.so"
    else:
        return env
    if library not in _output(["ldd", str(httpd_binary())]):
        env["LD_PRELOAD"] = sanitizer_library()
    return env


def _output(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_until(condition, what, timeout=10.0, interval=0.01):
    """Waits until `condition()` is true and returns its value."""
    deadline = time.monotonic() + timeout * SLOWER
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited in vain for " + what
        time.sleep(interval)
