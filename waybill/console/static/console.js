// The console's script: everything here is a convenience, every page works without it.
import { follow } from "./live.js";
import { listen } from "./keys.js";
import { present } from "./dialogs.js";

document.documentElement.classList.add("scripted");
follow();
listen();
present();
reveal(document.querySelector(".places [aria-current]"));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("change", (event) => {
  const { form, dataset, name } = event.target;
  if (dataset.checkAll) check(dataset.checkAll, event.target.checked);
  if (dataset.checkAll || document.querySelector(`[data-checked="${CSS.escape(name)}"]`)) count();
  if (form?.hasAttribute("data-auto")) form.requestSubmit();
});

// A form's empty fields only make its address long.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  for (const field of form.elements) {
    if (field.name && field.value === "") {
      field.disabled = true;
      setTimeout(() => { field.disabled = false; });
    }
  }
});

document.addEventListener("waybill:renewed", count);
count();

// On a phone the places are wider than the screen.
function reveal(place) {
  if (place) place.closest(".places").scrollLeft = place.offsetLeft - 32;
}

function boxes(name) {
  return [...document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)];
}

function check(name, checked) {
  for (const box of boxes(name)) box.checked = checked;
}

function count() {
  for (const place of document.querySelectorAll("[data-checked]")) {
    place.textContent = boxes(place.dataset.checked).filter((box) => box.checked).length;
  }
}
