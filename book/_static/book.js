// What a style sheet cannot do. Loaded by every page, after it has been read.
"use strict";

(() => {
  const root = document.documentElement;

  // Whatever scrolls inside itself is reached by keyboard as well. The theme cares for some of it,
  // once, when nothing is unfolded yet. Sections far from the window are not laid out at first
  // (book.css); here they are, one by one, when the reader does nothing, and then measured.
  const SCROLLERS = [
    "pre", "div.math", "dt.sig", ".cell_output", ".cell_output > .output", ":is(p, li):has(> span.math)",
    ".pst-scrollable-table-container",
  ].map((selector) => `.bd-article ${selector}`).join(", ");

  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 1, { timeRemaining: () => 0 }));
  let boxes = [...document.querySelectorAll(".bd-article > section > section")];
  // Whoever was sent to a place must find it where it will stay.
  if (location.hash) boxes.forEach((section) => { section.style.contentVisibility = "visible"; });

  function makeReachable() {
    const sections = boxes.filter((box) => box.matches("section"));
    boxes = [...sections, ...document.querySelectorAll(SCROLLERS)];
    whenIdle(measure);
  }

  function measure(idle) {
    let more = true;
    while (more && boxes.length) {
      const box = boxes.shift();
      if (box.matches("section")) {
        box.style.contentVisibility = "visible";
        more = box.offsetHeight > 0 && idle.timeRemaining() > 20;
        continue;
      }
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
      more = idle.timeRemaining() > 5;
    }
    if (boxes.length) whenIdle(measure);
  }

  addEventListener("load", () => {
    makeReachable();
    // The text is there: now the pictures, also those for which the reader will be underground.
    document.querySelectorAll("img[loading=lazy]").forEach((picture) => { picture.loading = "eager"; });
  });
  addEventListener("resize", makeReachable);
  document.addEventListener("toggle", makeReachable, true);

  for (const button of document.querySelectorAll("[data-action='window.print()']")) {
    button.addEventListener("click", () => window.print());
  }

  // Paper is white, it cannot be unfolded, and nothing scrolls on it.
  const PAPER = 178 / 25.4 * 96; // what is left of A4 between the margins, in pixels
  const LETTERS = 10 / 12; // of the size that they have on the screen
  let undo = [];

  function change(object, name, value) {
    const old = object[name];
    undo.push(() => { object[name] = old; });
    object[name] = value;
  }

  addEventListener("beforeprint", () => {
    change(root.dataset, "theme", "light");
    for (const folded of document.querySelectorAll(".bd-article details:not([open])")) {
      change(folded, "open", true);
    }
    for (const formula of document.querySelectorAll(".bd-article div.math > math")) {
      const signs = document.createRange();
      signs.selectNodeContents(formula);
      const scale = PAPER / (signs.getBoundingClientRect().width * LETTERS);
      if (scale < 1) {
        change(formula.style, "fontSize", `${1.15 * scale}em`); // 1.15 as in book.css
      }
    }
  });
  addEventListener("afterprint", () => {
    undo.forEach((back) => back());
    undo = [];
  });
})();
