// The editor of the configuration: line numbers grow with the text, findings come while one writes.
const PAUSE_MS = 700;
const text = document.getElementById("text");
const gutter = document.getElementById("gutter");
const form = text?.form;
let waiting = 0;
let asked = 0;

if (text) {
  text.addEventListener("input", () => {
    number();
    clearTimeout(waiting);
    waiting = setTimeout(check, PAUSE_MS);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (link) show(event, Number(link.dataset.line));
  });
}

function number() {
  const lines = text.value.split("\n").length;
  text.rows = Math.max(lines, 12);
  while (gutter.children.length < text.rows) {
    const line = document.createElement("span");
    line.textContent = gutter.children.length + 1;
    gutter.append(line, "\n");
  }
  while (gutter.children.length > text.rows) {
    gutter.lastChild.remove();
    gutter.lastElementChild.remove();
  }
}

async function check() {
  const turn = ++asked;
  const body = new URLSearchParams(new FormData(form));
  body.set("do", "check");
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { "Waybill-Fragment": "1" } });
    if (!response.ok || turn !== asked) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (turn !== asked) return;
    for (const place of ["gutter", "state", "findings", "forms"]) {
      const fresh = page.getElementById(place);
      if (fresh) document.getElementById(place).replaceChildren(...fresh.childNodes);
    }
    document.getElementById("state").className = page.getElementById("state").className;
    if (page.getElementById("text").hasAttribute("aria-invalid")) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
    number();
  } catch {
    // Without an answer the findings stay as they are; the buttons ask again.
  }
}

function show(event, line) {
  event.preventDefault();
  const before = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const end = text.value.indexOf("\n", before);
  text.focus();
  text.setSelectionRange(before, end < 0 ? text.value.length : end);
  text.scrollIntoView({ block: "nearest" });
  gutter.children[line - 1]?.scrollIntoView({ block: "center" });
}
