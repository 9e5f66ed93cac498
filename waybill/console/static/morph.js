// Makes one tree like another and keeps its nodes, so that focus, selection, what is open and what
// was typed stay. Children with an id or data-key are the same wherever they move.

// What a person has changed is theirs: an open <details>, a ticked box, a typed text.
const THEIRS = { DETAILS: ["open"], DIALOG: ["open"], INPUT: ["value", "checked"] };

export function morph(old, fresh) {
  if (old.isEqualNode(fresh) || old.hasAttribute("data-keep")) return;
  attributes(old, fresh);
  if (old.tagName !== "TEXTAREA") children(old, fresh);
}

function attributes(old, fresh) {
  const theirs = old.type === "hidden" ? [] : THEIRS[old.tagName] ?? [];
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !theirs.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !theirs.includes(name)) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  const wanted = new Set([...fresh.childNodes].map(key).filter(Boolean));
  const known = new Map();
  for (const node of [...old.childNodes]) {
    const name = key(node);
    if (name && !wanted.has(name)) node.remove();
    else if (name) known.set(name, node);
  }
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const name = key(want);
    const have = name ? known.get(name) : at && !key(at) && alike(at, want) ? at : null;
    if (!have || !alike(have, want)) {
      old.insertBefore(document.importNode(want, true), at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    if (have.nodeType === Node.ELEMENT_NODE) morph(have, want);
    else if (have.data !== want.data) have.data = want.data;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function key(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id || null : null;
}
