// Links with data-dialog open their page in a dialog; its forms go where the page's would.
const dialog = document.getElementById("dialog");
const article = dialog?.querySelector("article");

let opener = null;

export function present() {
  if (!dialog) return;
  document.addEventListener("click", (event) => {
    if (event.target.closest("dialog [data-close]")) {
      event.target.closest("dialog").close();
      event.preventDefault();
      return;
    }
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link);
  });
  dialog.addEventListener("close", () => { article.replaceChildren(); back(); });
}

async function show(link) {
  opener = link;
  let text;
  try {
    const response = await fetch(link.href, { headers: { "Waybill-Fragment": "dialog" } });
    if (response.redirected) throw new Error("signed out");
    text = await response.text();
  } catch {
    location.assign(link.href);
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const form of page.querySelectorAll("form:not([action])")) form.setAttribute("action", link.href);
  article.replaceChildren(closing(), ...page.body.childNodes);
  dialog.setAttribute("aria-label", article.querySelector("h1, h2")?.textContent ?? "Action");
  dialog.showModal();
  (article.querySelector("[data-first]") ?? article.querySelector("input:not([type=hidden]), select, textarea"))?.focus();
}

// What opened the dialog may have been made anew meanwhile.
function back() {
  const again = opener?.isConnected ? opener : [...document.querySelectorAll("a[data-dialog]")]
    .find((link) => link.href === opener?.href);
  (again ?? document.getElementById("main"))?.focus();
}

function closing() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet close";
  button.dataset.close = "";
  button.setAttribute("aria-label", "Close");
  button.textContent = "✕";
  return button;
}
