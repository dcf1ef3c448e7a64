"use strict";

const TILES = 30;
const byId = (id) => document.getElementById(id);

function countProtocols() {
    const seen = {};
    for (const entry of performance.getEntriesByType("resource")) {
        seen[entry.nextHopProtocol] = (seen[entry.nextHopProtocol] || 0) + 1;
    }
    byId("summary").textContent = "Protocols of the requests: " +
        Object.entries(seen).map(([name, count]) => `${count} × ${name}`).join(", ");
}

byId("protocol").textContent =
    performance.getEntriesByType("navigation")[0].nextHopProtocol || "an unknown protocol";
for (let number = 1; number <= TILES; number++) {
    const image = document.createElement("img");
    image.src = `tiles/${String(number).padStart(2, "0")}.svg`;
    byId("tiles").append(image);
}
window.addEventListener("load", countProtocols);

const source = new EventSource("cgi/events");
source.onmessage = (event) => { byId("events").textContent += event.data + "\n"; };
source.onerror = () => source.close();

byId("upload").addEventListener("submit", async (event) => {
    event.preventDefault();
    const reply = await fetch("cgi/upload", { method: "POST", body: byId("file").files[0] });
    byId("answer").textContent = await reply.text();
});
