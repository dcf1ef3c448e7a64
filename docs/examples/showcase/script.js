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

/* The page in a frame: what was fetched because of a hint says so. */
function showHints() {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = "page";
    frame.onload = () => {
        const entries = frame.contentWindow.performance.getEntriesByType("resource");
        byId("hints").textContent = entries.map((entry) =>
            `${entry.name.replace(/.*\//, "")}: ${entry.initiatorType}`).join("\n");
    };
    document.body.append(frame);
}

if (byId("protocol")) {
    byId("protocol").textContent =
        performance.getEntriesByType("navigation")[0].nextHopProtocol || "an unknown protocol";
    showEvents();
    showUpload();
    showPriorities().then(showHints);
}
