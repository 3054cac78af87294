// What a style sheet cannot do. Loaded by every page, after it has been read.
"use strict";

(() => {
  const root = document.documentElement;

  // Whatever scrolls inside itself is reached by keyboard as well. The theme cares for some of it,
  // once, when nothing is unfolded yet. What is far from the window is not laid out at first
  // (book.css); here it is, block by block, when the reader does nothing, and then measured.
  const SCROLLERS = [
    "pre", "div.math", "dt.sig", ".cell_output", ".cell_output > .output", ":is(p, li):has(> span.math)",
    ".pst-scrollable-table-container",
  ].map((selector) => `.bd-article ${selector}`).join(", ");

  const BLOCKS = ".bd-article > section > section, .bd-article > section > section > :not(h2)";
  const LONGEST = 4; // milliseconds at a time, several times as many on a phone
  const whenIdle = window.requestIdleCallback ?? setTimeout;
  const blocks = [...document.querySelectorAll(BLOCKS)];
  let scrollers = [];
  // Whoever was sent to a place must find it where it will stay.
  if (location.hash) layOutAll();

  function makeReachable() {
    scrollers = [...document.querySelectorAll(SCROLLERS)];
    whenIdle(work);
  }

  function work() {
    const end = performance.now() + LONGEST;
    while (blocks.length + scrollers.length && performance.now() < end) {
      if (blocks.length) {
        layOut(blocks.shift());
      } else {
        measure(scrollers.shift());
      }
    }
    if (blocks.length + scrollers.length) whenIdle(work);
  }

  function layOutAll() {
    blocks.splice(0).forEach((block) => { block.style.contentVisibility = "visible"; });
  }

  function layOut(block) {
    block.style.contentVisibility = "visible";
    block.getBoundingClientRect(); // now, not together with those that follow
  }

  function measure(box) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1) {
      box.tabIndex = 0;
    } else {
      box.removeAttribute("tabindex");
    }
  }

  const whenShown = (act) => requestAnimationFrame(() => setTimeout(act));
  addEventListener("load", () => whenShown(() => {
    makeReachable();
    // The text is there: now the pictures, also those for which the reader will be underground.
    document.querySelectorAll("img[loading=lazy]").forEach((picture) => { picture.loading = "eager"; });
  }));
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
    layOutAll(); // or the formulas below would have no width yet
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
