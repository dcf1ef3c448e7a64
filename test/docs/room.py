# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A room: this machine once more, in which the commands of a page may do what they like.

It has namespaces of its own for mounts, processes and the network, and an overlay of / whose changes
are kept in memory: what is written to /etc, installed or listened on is gone when the room is closed,
and so is each process. README.md in this folder says what is in it. Needs root and Linux with
overlayfs; NoRoom says what is missing.

As a program, `room.py PREPARED MOUNTPOINT`, this is the inside: process 1 of the room, which takes
orders as lines of JSON."""

import json
import os
import pwd
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

USER = "alice"
PATHS = {"root": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
         USER: "/usr/local/bin:/usr/bin:/bin"}


class NoRoom(Exception):
    """This machine does not let us make rooms."""


class TookTooLong(Exception):
    """A command did not end in time; what it has printed is the argument."""


# ---- outside ------------------------------------------------------------------------------------
class Room:
    """An open room. `prepared` is a folder with what is laid over the machine's files."""

    def __init__(self, prepared, mountpoint):
        mountpoint.mkdir(parents=True, exist_ok=True)
        if not shutil.which("unshare"):
            raise NoRoom("no unshare (Debian: util-linux)")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
             "/usr/bin/python3", __file__, str(prepared), str(mountpoint)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        if self._lines.get(timeout=60) != "ready":
            why = (self.process.communicate()[1].strip() or "it ended").splitlines()[-1]
            is_refused = why.startswith(("unshare: ", "mount: "))
            raise NoRoom(why) if is_refused else RuntimeError("room: " + why)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def _ask(self, patience, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self._lines.get(timeout=patience + 20) or '{"error": "the room is gone"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def run(self, command, user="root", timeout=20):
        """Runs `command` in the shell of `user` and returns its status and output (both streams)."""
        answer = self._ask(timeout, what="run", command=command, user=user, timeout=timeout)
        if answer["status"] is None:
            raise TookTooLong(answer["output"])
        return answer["status"], answer["output"]

    def start(self, command, user="root"):
        """Starts `command` in the folder where the shell of `user` is, and returns the path of what
        it prints."""
        return self._ask(5, what="start", command=command, user=user)["output"]

    def write(self, path, text, user="root"):
        """Makes the file `path`, which may be relative to where the shell of `user` is. What begins
        with #! may be executed."""
        self._ask(5, what="write", path=path, text=text, user=user)

    def read(self, path):
        return self._ask(5, what="read", path=path)["text"]

    def close(self):
        """Ends all that runs in it and forgets all that was written."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- inside -------------------------------------------------------------------------------------
def furnish(prepared, mountpoint):
    """Makes the room and goes into it."""
    mount("-t", "tmpfs", "-o", "mode=755", "room", mountpoint)
    upper, work, root = (mountpoint / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    mount("-t", "overlay", "-o", "lowerdir=/,upperdir=%s,workdir=%s" % (upper, work), "room", root)
    shutil.rmtree(root / "etc/apache2", ignore_errors=True)
    shutil.rmtree(root / "var/www", ignore_errors=True)
    shutil.rmtree(root / "var/log/apache2", ignore_errors=True)
    subprocess.run(["cp", "-a", str(prepared) + "/.", str(root)], check=True)
    for name, mode in (("tmp", "1777"), ("run", "755"), ("root", "700"), ("home", "755")):
        (root / name).mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=" + mode, "room", root / name)
    mount("-t", "proc", "room", root / "proc")
    for name in ("dev", "sys"):
        mount("--rbind", "/" + name, root / name)
    os.chroot(root)
    os.chdir("/")
    account = pwd.getpwnam(USER)
    os.mkdir(account.pw_dir, 0o755)
    os.chown(account.pw_dir, account.pw_uid, account.pw_gid)
    for folder in ("/run/lock", "/run/room"):
        os.mkdir(folder)
        os.chmod(folder, 0o1777)
    socket.sethostname("server")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def mount(*words):
    run = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
    if run.returncode:
        sys.exit("mount: " + run.stderr.strip().replace("\n", "; "))


class Shell:
    """A shell that stays, as that of somebody who follows a page: cd and variables last."""

    def __init__(self, user):
        account = pwd.getpwnam(user)
        self.user = user
        self.count = 0
        self.ended, ended = os.pipe()
        orders, self.orders = os.pipe()
        self.who = dict(user=account.pw_uid, group=account.pw_gid,
                        extra_groups=os.getgrouplist(user, account.pw_gid))
        self.env = {"HOME": account.pw_dir, "USER": user, "LOGNAME": user, "PATH": PATHS[user],
                    "LANG": "C.UTF-8", "SHELL": "/bin/bash", "TERM": "dumb",
                    "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"}
        self.process = subprocess.Popen(
            ["/bin/bash", "--norc", "--noprofile", "-c",
             "ended=%d; while read -r -u %d file; do . $file; done" % (ended, orders)],
            stdin=subprocess.DEVNULL, cwd=account.pw_dir, env=self.env, pass_fds=(ended, orders),
            start_new_session=True, **self.who)
        os.close(ended)
        os.close(orders)

    def folder(self):
        return os.readlink("/proc/%d/cwd" % self.process.pid)

    def files(self, command):
        self.count += 1
        name = "/run/room/%s-%d" % (self.user, self.count)
        for ending, text in (("", command), (".out", "")):
            Path(name + ending).write_text(text)
            os.chown(name + ending, self.who["user"], self.who["group"])
        return name

    def run(self, command, timeout):
        name = self.files(command + "\n")
        order = name + ".order"
        Path(order).write_text(
            'eval "$(<%s)" >%s.out 2>&1 </dev/null\necho $? >&"$ended"\n' % (name, name))
        os.write(self.orders, (order + "\n").encode())
        ready, _, _ = select.select([self.ended], [], [], timeout)
        status = os.read(self.ended, 100) if ready else b""
        if not status:
            os.killpg(self.process.pid, signal.SIGKILL)
        output = Path(name + ".out").read_text(errors="replace")
        return {"status": int(status) if status else None, "output": output}

    def start(self, command):
        name = self.files(command)
        with open(name + ".out", "wb") as output:
            subprocess.Popen(["/bin/bash", "-c", command], stdin=subprocess.DEVNULL, stdout=output,
                             stderr=subprocess.STDOUT, cwd=self.folder(), env=self.env,
                             start_new_session=True, **self.who)
        return {"output": name + ".out"}

    def write(self, path, text):
        path = Path(self.folder(), os.path.expanduser(path.replace("~", self.env["HOME"], 1)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chown(path, self.who["user"], self.who["group"])
        path.chmod(0o755 if text.startswith("#!") else 0o644)
        return {}


def obey(shells, order):
    if order["what"] == "read":
        return {"text": Path(order["path"]).read_text(errors="replace")}
    user = order["user"]
    if user not in shells or shells[user].process.poll() is not None:
        shells[user] = Shell(user)
    shell = shells[user]
    if order["what"] == "run":
        return shell.run(order["command"], order["timeout"])
    if order["what"] == "start":
        return shell.start(order["command"])
    return shell.write(order["path"], order["text"])


def serve(orders, answers):
    shells = {}
    for line in orders:
        try:
            answer = obey(shells, json.loads(line))
        except (OSError, ValueError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main(prepared, mountpoint):
    try:
        furnish(Path(prepared), Path(mountpoint))
    except subprocess.CalledProcessError as error:
        sys.exit("%s failed" % " ".join(error.cmd))
    os.umask(0o022)
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    server = os.fork()
    if server == 0:
        print("ready", file=answers, flush=True)
        serve(orders, answers)
        os._exit(0)
    orders.close()
    answers.close()
    while os.wait()[0] != server:       # the parent of all whose parent has gone
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
