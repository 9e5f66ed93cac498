// Keys: one letter, or g and one letter; none while typing, none with a modifier, and they can be
// switched off (WCAG 2.1.4).
const CHORD_MS = 1500;
const OFF = "waybill.keys.off";

let going = -Infinity;

export function listen() {
  const help = document.getElementById("keys");
  const off = help?.querySelector("[data-keys-off]");
  if (off) {
    off.checked = localStorage.getItem(OFF) === null;
    off.addEventListener("change", () => {
      if (off.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    });
  }
  document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (localStorage.getItem(OFF) !== null || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (press(event.key, help)) event.preventDefault();
  });
}

function isTyping(target) {
  if (target.isContentEditable || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return true;
  return target.tagName === "INPUT" && !["checkbox", "radio", "button", "submit"].includes(target.type);
}

function press(key, help) {
  if (performance.now() - going < CHORD_MS) {
    going = -Infinity;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    link?.click();
    return Boolean(link);
  }
  switch (key) {
    case "g": going = performance.now(); return true;
    case "?": help?.showModal(); return true;
    case "/": return focus(document.querySelector('main [data-key="/"]') ?? document.querySelector('[data-key="/"]'));
    case "j": return move(1);
    case "k": return move(-1);
    case "x": return tick();
    default: return act(key);
  }
}

function move(by) {
  const items = [...document.querySelectorAll("[data-list] [data-item]")];
  if (!items.length) return false;
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + by));
  return focus(items[next].querySelector("a[href]") ?? items[next]);
}

function tick() {
  const box = document.activeElement.closest("[data-item]")?.querySelector("input[type=checkbox]");
  box?.click();
  return Boolean(box);
}

// A page's own keys: elements with data-press="r".
function act(key) {
  const found = document.querySelector(`[data-press="${CSS.escape(key)}"]`);
  found?.click();
  return Boolean(found);
}

function focus(element) {
  element?.focus();
  element?.select?.();
  element?.scrollIntoView({ block: "nearest" });
  return Boolean(element);
}
