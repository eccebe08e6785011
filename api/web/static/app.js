/** The page, put together: views by address, shortcuts, the server's state. */

import { byId, h } from "./common/dom.js";
import { Server } from "./common/server.js";
import { FilesView } from "./files/view.js";
import { JobsView } from "./jobs/view.js";
import { LiveView } from "./live/view.js";
import { SystemView } from "./system/view.js";

const TITLES = { live: "Live", files: "Files", jobs: "Jobs", system: "System" };
const ONE_KEY = "steno.shortcuts";

const server = new Server();
const askKey = () => server.askKey();
const views = {
  live: new LiveView(server, askKey),
  files: new FilesView(server, askKey),
  jobs: new JobsView(server, askKey),
  system: new SystemView(server, askKey),
};

const SHORTCUTS = [
  ["Space", "Start or stop listening", () => go("live") && views.live.toggle()],
  ["c", "Copy the live text", () => views.live.copy()],
  ["1", "Live", () => go("live")],
  ["2", "Files", () => go("files")],
  ["3", "Jobs", () => go("jobs")],
  ["4", "System", () => go("system")],
  ["?", "This list", () => byId("help-dialog").showModal()],
];

function go(name) {
  location.hash = `#/${name}`;
  return true;
}

function route() {
  const wanted = location.hash.replace("#/", "");
  const name = wanted in views ? wanted : "live";
  for (const [other, view] of Object.entries(views)) {
    const isShown = other === name;
    byId(`view-${other}`).hidden = !isShown;
    if (isShown) view.shown?.();
    else view.left?.();
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} · Steno`;
}

function pressed(event) {
  const { key, target } = event;
  const isTaken = event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
  const isTyping = target.closest("input, textarea, select, [contenteditable]");
  const isControl = target.closest("button, a, summary, audio, [role=region]");
  if (isTaken || isTyping || (key === " " && isControl) || !byId("shortcuts-on").checked) return;
  const found = SHORTCUTS.find(([name]) => name === (key === " " ? "Space" : key.toLowerCase()));
  if (!found) return;
  event.preventDefault();
  found[2]();
}

function help() {
  const rows = SHORTCUTS.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)));
  byId("shortcuts").append(...rows);
  byId("help-button").addEventListener("click", () => byId("help-dialog").showModal());
  const box = byId("shortcuts-on");
  box.checked = localStorage.getItem(ONE_KEY) !== "off";
  box.addEventListener("change", () => localStorage.setItem(ONE_KEY, box.checked ? "on" : "off"));
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", route);
addEventListener("keydown", pressed);
server.onKey = route;
help();
route();
server.watch();
performance.mark("steno:ready");
