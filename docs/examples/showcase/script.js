"use strict";

const byId = (id) => document.getElementById(id);
const ID = Math.random().toString(36).slice(2);

async function showPriorities() {
    for (const priority of ["high", "low"]) {
        const reply = await fetch("seen", { priority });
        byId(priority).textContent = await reply.text();
    }
}

function showEvents() {
    const source = new EventSource("events");
    source.onmessage = (event) => { byId("events").textContent += event.data + "\n"; };
    source.onerror = () => source.close();
}

/* 4 MiB that the application counts while they come. */
async function showUpload() {
    const size = 4 << 20;
    const done = fetch(`upload?id=${ID}`, { method: "POST", body: new Uint8Array(size) });
    for (let seen = 0; seen < size;) {
        seen = Number(await (await fetch(`progress?id=${ID}&bytes=${seen + 1}`)).text());
        byId("bar").value = seen / size;
    }
    byId("answer").textContent = await (await done).text();
}

/* Of the page with hints: a browser that has heeded them says "early-hints". */
function showHints() {
    byId("hints").textContent = performance.getEntriesByType("resource").map((entry) =>
        `${entry.name.replace(/.*\//, "")}: ${entry.initiatorType}`).join("\n");
}

if (byId("protocol")) {
    byId("protocol").textContent =
        performance.getEntriesByType("navigation")[0].nextHopProtocol || "an unknown protocol";
    showEvents();
    showUpload();
    showPriorities();
} else {
    window.addEventListener("load", showHints);
}
