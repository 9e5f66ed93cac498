// What accessibility.py asks of a page: an object of functions that return what falls short.
({
  // 2.4.7 and 2.4.11: what has the focus shows it, and nothing lies over it.
  focus() {
    const found = [];
    const top = document.querySelector("dialog[open]") ?? document;
    const name = (one) => (one.name || one.textContent || one.id).trim().slice(0, 40);
    const said = (one) => `${one.tagName.toLowerCase()} ${name(one)}`;
    const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
    for (const one of top.querySelectorAll(kinds)) {
      if (one.tabIndex < 0 || one.disabled) continue;
      if (!one.checkVisibility({ visibilityProperty: true })) continue;
      one.focus();
      if (document.activeElement !== one) continue;
      if (!this.isSeen(one)) found.push(`2.4.11: ${said(one)} has the focus and is hidden`);
      const look = getComputedStyle(one);
      const ringed = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0;
      if (!ringed && look.boxShadow === "none")
        found.push(`2.4.7: ${said(one)} does not show its focus`);
    }
    return found;
  },

  isSeen(one) {
    const [box] = one.getClientRects();
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [up, down] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    if (left >= right || up >= down) return false;
    const parts = [0.1, 0.5, 0.9];
    return parts.some((x) => parts.some((y) => {
      const at = document.elementFromPoint(left + x * (right - left), up + y * (down - up));
      return at && (one.contains(at) || at.contains(one));
    }));
  },

  // 3.3.1: what is wrong has the focus, leads to its field, and the field says so.
  problem() {
    const said = document.getElementById("problem");
    if (!said) return [];
    const found = [];
    const first = document.activeElement;
    if (first !== said) found.push(`3.3.1: the focus is on ${first.tagName}, not on what is wrong`);
    for (const link of said.querySelectorAll("a[href^='#']")) {
      const field = document.getElementById(link.hash.slice(1));
      const told = field?.getAttribute("aria-describedby")?.split(" ").includes("problem");
      if (!told || field.getAttribute("aria-invalid") !== "true")
        found.push(`3.3.1: ${link.hash} does not say that it is wrong`);
    }
    if (!document.title.startsWith("Error: ")) found.push(`2.4.2: "${document.title}" tells no error`);
    return found;
  },

  // 2.4.2, 2.4.6 and 4.1.3: one heading, a title, and nothing that is read out all the time.
  structure() {
    const found = [];
    const heads = document.querySelectorAll("#main h1");
    if (heads.length !== 1) found.push(`2.4.6: ${heads.length} first headings`);
    if (!/.+ · Waybill$/.test(document.title)) found.push(`2.4.2: the title is "${document.title}"`);
    for (const one of document.querySelectorAll("[data-live][aria-live], [data-live][role=status]"))
      found.push(`4.1.3: all of ${one.dataset.live} is read out whenever a part of it changes`);
    for (const one of document.querySelectorAll(":is([aria-live], [role=status]) time[data-ago]"))
      found.push(`4.1.3: ${one.textContent} is read out again and again`);
    return found;
  },

  // 2.3.3: asked for where the visitor's system wants reduced motion.
  motion() {
    const moves = (look) => look.animationName !== "none"
      || look.transitionDuration.split(",").some((given) => parseFloat(given) > 0);
    return [...document.querySelectorAll("*")]
      .filter((one) => moves(getComputedStyle(one)))
      .map((one) => `2.3.3: ${one.tagName.toLowerCase()} ${one.id || one.className} moves`);
  },

  // 1.4.12: with the spacing that a reader may want nothing is lost sideways, where tables are cards.
  spacing() {
    if (!matchMedia("(max-width: 40rem)").matches) return [];
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`p { margin-block-end: 2em !important } * { line-height: 1.5 !important;
      letter-spacing: 0.12em !important; word-spacing: 0.16em !important }`);
    document.adoptedStyleSheets = [sheet];
    const root = document.documentElement;
    const wide = root.scrollWidth - root.clientWidth;
    document.adoptedStyleSheets = [];
    return wide > 0 ? [`1.4.12: ${wide} px wider than the screen with spaced text`] : [];
  },
})
