"""What an administrator can see."""

import json
import re
import time

from cells import NO, PART, SMALL, YES, Cell, feature, yes_if

ROWS = []
_STATUS_PATHS = {"ours": "/status?json", "mod_http2": "/status?auto", "nginx": "/status",
                 "h2o": "/status/json"}


def _numbers(value, name=""):
    """{path of names: number} of a JSON value; lists have their lengths and their members."""
    found = {}
    if isinstance(value, dict):
        for key, each in value.items():
            found.update(_numbers(each, f"{name}.{key}"))
    elif isinstance(value, list):
        found[name] = len(value)
        for each in value:
            found.update(_numbers(each, name + "[]"))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found[name] = value
    return found


def _status(subject):
    with subject.client() as client:
        stream = client.get(_STATUS_PATHS[subject.name])
        try:
            return _numbers(json.loads(stream.text))
        except ValueError:
            return {name: int(number) for name, number in
                    re.findall(r"([A-Za-z_][A-Za-z_ ]*): *(\d+)", stream.text)}


@feature(ROWS)
def status(subject):
    """Open streams of all connections, for programs

    Three requests wait on a connection. A page asked for on another one, JSON or lines, shows a
    figure that is three more than before.
    """
    before = _status(subject)
    with subject.client() as client:
        streams = [client.request(path="/be/gate/status") for _ in range(3)]
        subject.backends.wait_for("/be/gate/status", 3)
        during = _status(subject)
        subject.backends.gate("status").set()
        client.wait(*streams)
    grown = {name: (before.get(name, 0), value) for name, value in during.items()
             if value - before.get(name, 0) == 3}
    seen = f"grown by 3: {grown}; there are: {sorted(during)[:12]}"
    if any(re.search(r"stream|request", name) for name in grown):
        return Cell(YES, seen)
    for name in grown:
        return Cell(PART, seen, f"as `{name.strip()}`, with what else the server writes")
    return Cell(NO, seen)


@feature(ROWS)
def log_stream(subject):
    """The stream's id in the access log

    A request on stream 3 has it in its line.
    """
    with subject.client() as client:
        client.get(SMALL)
        client.get("/index.html")
    line = subject.log_line("/index.html")
    return yes_if(line.get("stream") == "3", line)


@feature(ROWS)
def log_blocked(subject):
    """Time without a window in the access log

    A client leaves its window shut for 400 ms; the line has a figure for that alone.
    """
    with subject.client(auto_window=False) as client:
        stream = client.request(path="/blocked.bin", keep_body=False)
        client.wait_bytes(stream, 65535)
        time.sleep(0.4)
        client.send_window_update(0, 64 << 20)
        client.send_window_update(stream.id, 64 << 20)
        client.wait(stream)
    line = subject.log_line("/blocked.bin")
    figure = line.get("blocked", "-")
    return yes_if(figure.isdigit() and int(figure) >= 350000, line)
