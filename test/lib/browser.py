# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Chromium with its developer tools' protocol: what a page loads, and by which protocol."""

import asyncio
import base64
import json
import os
import re
import subprocess
import tempfile
import time

import environment as env
from appservers import end_with_us
from programs import tool

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--ignore-certificate-errors", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-extensions", "--mute-audio",
           "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"]


class Loaded:
    """A page that was loaded.

    responses   {URL: (status, protocol, body)}; the body of the page's own requests alone
    failures    the requests that failed, as text
    """

    def __init__(self):
        self.responses = {}
        self.failures = []
        self.value = None           # of the expression that was waited for
        self.dom = ""

    def protocols(self):
        return {protocol for _, protocol, _ in self.responses.values()}


def load(url, until="document.readyState == 'complete'", options=(), timeout=60, bodies=True):
    """Loads a page, and waits until the JavaScript expression is true and nothing is loading."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [tool("chromium", "chromium-browser", "google-chrome"), *OPTIONS, *options,
             "--user-data-dir=" + folder, "about:blank"], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True, preexec_fn=end_with_us,
            env={**os.environ, "HOME": folder})
        try:
            address = _devtools_address(process)
            return asyncio.run(_load(address, url, until, timeout * env.SLOWER, bodies))
        finally:
            process.terminate()
            process.communicate()


def _devtools_address(process):
    for line in process.stderr:
        match = re.search(r"DevTools listening on (ws://\S+)", line)
        if match:
            return match.group(1)
    raise AssertionError("Chromium did not start")


class _Session:
    """A tab: calls and events."""

    def __init__(self, socket):
        self.socket = socket
        self.number = 0
        self.id = None
        self.events = []

    async def call(self, method, **params):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if self.id:
            message["sessionId"] = self.id
        await self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("id") == number:
                return answer.get("result", answer.get("error"))
            self.events.append(answer)


async def _load(address, url, until, timeout, bodies):
    import websockets
    async with websockets.connect(address, max_size=None, ping_interval=None) as socket:
        session = _Session(socket)
        target = await session.call("Target.createTarget", url="about:blank")
        attached = await session.call("Target.attachToTarget", targetId=target["targetId"],
                                      flatten=True)
        session.id = attached["sessionId"]
        await session.call("Network.enable", maxTotalBufferSize=1 << 28,
                           maxResourceBufferSize=1 << 27)
        await session.call("Page.enable")
        await session.call("Page.navigate", url=url)
        return await _collect(session, until, time.monotonic() + timeout, bodies)


async def _collect(session, until, deadline, bodies):
    loaded, urls, waiting, quiet = Loaded(), {}, set(), 0
    while quiet < 3:
        answer = await session.call("Runtime.evaluate", expression=until, returnByValue=True)
        loaded.value = answer.get("result", {}).get("value")
        _take_events(session, loaded, urls, waiting)
        quiet = quiet + 1 if loaded.value and not waiting else 0
        assert time.monotonic() < deadline, "%r, still loading %s, failed %s" % (
            answer, [urls.get(i) for i in waiting], loaded.failures)
        await asyncio.sleep(0.1)
    if bodies:
        for request, (url, status, protocol) in urls.items():
            answer = await session.call("Network.getResponseBody", requestId=request)
            if status and url in loaded.responses and "body" in answer:
                body = answer["body"]
                loaded.responses[url] = (status, protocol, base64.b64decode(body) if
                                         answer["base64Encoded"] else body.encode())
    answer = await session.call("Runtime.evaluate", returnByValue=True,
                                expression="document.documentElement.outerHTML")
    loaded.dom = answer["result"]["value"]
    return loaded


def _take_events(session, loaded, urls, waiting):
    for event in session.events:
        method, params = event.get("method"), event.get("params", {})
        request = params.get("requestId")
        if method == "Network.requestWillBeSent" and params["request"]["url"].startswith("http"):
            urls[request] = (params["request"]["url"], None, None)
            waiting.add(request)
        elif method == "Network.responseReceived" and request in urls:
            response = params["response"]
            urls[request] = (response["url"], response["status"], response.get("protocol"))
            loaded.responses[response["url"]] = (response["status"], response.get("protocol"), None)
        elif method == "Network.loadingFinished":
            waiting.discard(request)
        elif method == "Network.loadingFailed" and request in urls:
            waiting.discard(request)
            loaded.failures.append("%s: %s" % (urls[request][0], params.get("errorText")))
    session.events.clear()
