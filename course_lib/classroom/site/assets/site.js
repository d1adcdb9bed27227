// The frame of every page: theme, contents, equations, boxes that scroll, and the folded part that a link leads to.
(() => {
  const root = document.documentElement;

  // Theme: what the system wants, until the reader chooses.
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    window.courseStore.set("learning-to-learn.theme", root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  name();

  // Contents: beside the text where there is room, folded above it where there is none.
  const menu = document.getElementById("menu");
  const narrow = matchMedia("(max-width: 68rem)");
  const fold = () => { menu.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();

  const here = menu.querySelector("[aria-current]");
  if (here && !narrow.matches) menu.parentElement.scrollTop = here.offsetTop - menu.offsetTop - 40;

  // Equations.
  if (window.renderMathInElement) {
    const delimiters = [["$$", "$$", true], ["\\[", "\\]", true], ["\\(", "\\)", false], ["$", "$", false]];
    const options = { delimiters: delimiters.map(([left, right, display]) => ({ left, right, display })), strict: false };
    window.renderMathInElement(document.getElementById("main"), options);
  }

  // A picture as wide as a page would be too small to read on a phone: there it is larger than the screen, in a box that scrolls.
  for (const image of document.querySelectorAll("main img")) {
    if (Number(image.getAttribute("width")) < 600) continue;
    const box = Object.assign(document.createElement("div"), { className: "wide picture" });
    image.replaceWith(box);
    box.append(image);
  }

  // A box that scrolls sideways can be reached and moved by keyboard; the others are no stops.
  const boxes = [...document.querySelectorAll(".wide, .katex-display")];
  const reach = () => boxes.forEach((box) => {
    const scrolls = box.scrollWidth > box.clientWidth + 1;
    if (scrolls) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "wider than the page, scrolls sideways");
    } else {
      ["tabindex", "role", "aria-label"].forEach((one) => box.removeAttribute(one));
    }
  });
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  document.fonts.ready.then(reach);

  // The pictures of an explorer are fetched when a hand comes near, so that none is waited for.
  for (const figure of document.querySelectorAll(".course-moving")) {
    const fetchAll = () => {
      for (const { src } of JSON.parse(figure.querySelector("script").textContent).frames) if (src) new Image().src = src;
    };
    for (const event of ["pointerenter", "focusin"]) figure.addEventListener(event, fetchAll, { once: true });
  }

  // A link to what is folded opens it.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let one = target; one; one = one.parentElement) if (one.matches("details")) one.open = true;
    target.querySelector(":scope > details:only-child")?.setAttribute("open", "");
    target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  root.dataset.site = "ready";
})();
