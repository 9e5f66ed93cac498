// Keeps a page new: one stream of events, and at most once a second the page's own address as a
// fragment, of which the regions marked data-live are merged in.
import { morph } from "./morph.js";

const PAUSE_MS = 1000;
const AGAIN_MS = 10_000;
const HIDDEN_MS = 30_000;
const SAID_MS = 10_000;

const main = document.getElementById("main");
const shown = document.querySelector("[data-live-state]");
const news = document.getElementById("news");

let source = null;
let busy = false;
let due = false;
let last = 0;
let closing = 0;
let said = "";
let saidAt = 0;

export function follow() {
  said = sentences();
  setInterval(() => { tick(); say(); }, AGAIN_MS);
  const every = Number(main.dataset.refresh);
  if (every) setInterval(() => { if (!document.hidden) wake(); }, every * 1000);
  if (main.dataset.events === undefined) return;
  open();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(closing);
    if (document.hidden) closing = setTimeout(close, HIDDEN_MS);
    else if (!source) { open(); wake(); }
  });
}

function open() {
  const query = main.dataset.events;
  source = new EventSource(query ? `/api/events?${query}` : "/api/events");
  for (const type of main.dataset.eventTypes.split(",")) source.addEventListener(type, wake);
  // What happened between the page's making and the stream's opening is in no event of it.
  source.onopen = () => { tell("live", "Live"); wake(); };
  source.onerror = () => {
    tell("lost", "Reconnecting …");
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(() => { if (!source && !document.hidden) { open(); wake(); } }, AGAIN_MS);
  };
}

function close() {
  source?.close();
  source = null;
}

function tell(state, text) {
  if (!shown || shown.dataset.liveState === state) return;
  const before = shown.dataset.liveState;
  shown.hidden = false;
  shown.dataset.liveState = state;
  shown.textContent = state === "live" ? `● ${text}` : `○ ${text}`;
  if (state === "lost") news.textContent = "The connection is lost; what you see may be old.";
  else if (before === "lost") { news.textContent = "Connected again."; wake(); }
}

function wake() {
  if (due) return;
  due = true;
  setTimeout(renew, Math.max(0, last + PAUSE_MS - performance.now()));
}

async function renew() {
  if (busy) { setTimeout(renew, PAUSE_MS); return; }
  due = false;
  busy = true;
  last = performance.now();
  try {
    const response = await fetch(location.href, { headers: { "Waybill-Fragment": "live" } });
    if (response.redirected) location.reload();
    else if (response.ok) {
      merge(await response.text());
      if (source?.readyState === EventSource.OPEN) tell("live", "Live");
    }
  } catch {
    tell("lost", "Reconnecting …");
  } finally {
    last = performance.now();
    busy = false;
  }
}

function merge(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const region of main.querySelectorAll("[data-live]")) {
    const name = CSS.escape(region.dataset.live);
    const other = fresh.querySelector(`[data-live="${name}"]`);
    if (other && !region.parentElement.closest("[data-live]")) morph(region, other);
  }
  tick();
  say();
  document.dispatchEvent(new CustomEvent("waybill:renewed"));
}

// Regions do not read themselves out whenever a figure changes: their data-say does, now and then.
function say() {
  const text = sentences();
  if (text === said || performance.now() - saidAt < SAID_MS) return;
  said = text;
  saidAt = performance.now();
  news.textContent = text;
}

function sentences() {
  return [...main.querySelectorAll("[data-say]")].map((one) => one.dataset.say).join(" ");
}

function tick() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}

// As rendering.ago has it.
function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const sizes = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [unit, word] = sizes.find(([unit]) => size >= unit);
  const text = `${Math.floor(size / unit)} ${word}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}
