// Turns the exported notebook into a lecture: sets its equations, fits every slide to the screen, then starts reveal.js.
// A slide is a <section> inside the <section> of its chapter section; its children are the notebook's cells.
(async () => {
  const LARGE = sizes([1.15, 1.08, 1, 0.94, 0.88], [470, 420, 380]); // of words, against 27 pixels; of pictures, in pixels
  const SMALL = sizes([1, 0.94, 0.88, 0.82, 0.77], [380, 340, 300]); // where one cell alone needs more than a slide
  const HEIGHT = 720, WIDTH = 1280, ROOM = 1280 - 2 * 64; // as in lecture.css

  setEquations();
  hangLongLines();
  keepQuestionsApart();
  repeatQuestions();
  const folded = unfoldStepByStep();
  document.body.getBoundingClientRect(); // a layout, so that the fonts of the equations begin to load
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  narrowEquations();
  document.querySelectorAll(".slides > section").forEach(fitSection);
  document.body.classList.remove("measuring");
  folded.forEach((details) => { details.open = /print-pdf/.test(location.search); });

  const open = (to) => ({ fragments }) => fragments.forEach((one) => { if (one.matches("details")) one.open = to; });
  Reveal.on("fragmentshown", open(true));
  Reveal.on("fragmenthidden", open(false));
  await Reveal.initialize({
    width: WIDTH, height: HEIGHT, margin: 0, minScale: 0.1, maxScale: 4, center: false, hash: true, transition: "none", backgroundTransition: "none",
    navigationMode: "linear", totalTime: 60 * minutes(), controlsLayout: "edges", slideNumber: "c/t", pdfSeparateFragments: false, plugins: [RevealNotes],
  });
  window.courseFit = (slide) => { // when something came onto the slide in view
    slide.style.height = "auto";
    [LARGE, SMALL, sizes([0.7, 0.62, 0.55], [260, 220])].some((tries) => fits(slide, tries));
    slide.style.height = "";
  };
  document.documentElement.dataset.lecture = "ready";
  document.dispatchEvent(new Event("course-lecture-ready"));

  // The speaker's view has a clock that runs against the minutes of the chapter.
  function minutes() {
    return Number(document.querySelector(".slides > section")?.textContent.match(/About (\d+) minutes/)?.[1] ?? 0);
  }

  function setEquations() {
    const delimiters = [["$$", "$$", true], ["\\[", "\\]", true], ["\\(", "\\)", false], ["$", "$", false]];
    const options = { delimiters: delimiters.map(([left, right, display]) => ({ left, right, display })), strict: false };
    document.querySelectorAll(".slides .jp-RenderedMarkdown").forEach((words) => { if (!words.closest("aside")) renderMathInElement(words, options); });
  }

  // An equation that is too wide for a slide becomes smaller, and the words around it do not.
  function narrowEquations() {
    document.querySelectorAll(".katex-display").forEach((equation) => {
      const size = parseFloat(getComputedStyle(equation).fontSize) * equation.clientWidth / equation.scrollWidth;
      if (equation.scrollWidth > equation.clientWidth) equation.style.setProperty("--most", `${size}px`);
    });
  }

  // Each line of code in a box of its own, so that one that must be wrapped goes on under itself.
  function hangLongLines() {
    document.querySelectorAll(".reveal pre").forEach((pre) => {
      const inner = pre.querySelector("code") ?? pre;
      const lines = inner.textContent.replace(/\s+$/, "").split("\n");
      pre.style.setProperty("--columns", Math.max(20, ...lines.map((line) => line.length)));
      if (!pre.closest(".highlight")) return;
      const marked = inner.innerHTML.replace(/^<span><\/span>/, "").split("\n").slice(0, lines.length);
      inner.innerHTML = marked.map((html, at) => `<span class="line" style="--indent: ${lines[at].search(/\S|$/)}ch">${html}</span>`).join("");
    });
  }

  // A question ends its slide and what happens begins one: the audience answers in between.
  // Beside a picture there is no room for what is said to other predictions; it follows on a slide of its own.
  function keepQuestionsApart() {
    document.querySelectorAll(".course-question[data-id]").forEach((question) => splitBefore(afterNotes(cellOf(question))));
    document.querySelectorAll(".course-reveal").forEach((reveal) => splitBefore(cellOf(reveal)));
    document.querySelectorAll(".course-reveal:has(img) > details > p:has(+ ul:last-child)").forEach((words) => {
      const others = Object.assign(document.createElement("div"), { className: "course-reveal" });
      cellOf(words).after(others);
      others.append(words.nextElementSibling);
      others.prepend(words);
      splitBefore(others);
    });
  }

  // Between a question and its answer no slide stands without the question: not the code that measures, nor what is folded.
  function repeatQuestions() {
    document.querySelectorAll(".course-question[data-id]").forEach((question) => {
      const answer = document.querySelector(`.course-reveal[data-id="${question.dataset.id}"]`);
      if (!answer) return;
      const words = question.querySelector("strong").innerHTML, last = answer.closest("section");
      for (let slide = last; slide && slide !== question.closest("section"); slide = slide.previousElementSibling) {
        const first = slide.querySelector(":scope > :not(aside)");
        if ((slide === last ? answer : first)?.querySelector("img") || (slide !== last && !first?.matches(".jp-CodeCell"))) continue; // a picture needs the room
        slide.prepend(Object.assign(document.createElement("p"), { className: "asked", innerHTML: words }));
      }
    });
  }

  // What is folded in the notebook opens with the next press of the space bar; at once if nothing else is on its slide, and
  // where it answers a question: that stood on the slides before.
  function unfoldStepByStep() {
    return [...document.querySelectorAll(".reveal details")].filter((details) => {
      const answer = details.closest(".course-reveal");
      details.open = true;
      if (answer) details.querySelector("summary").textContent = "What happens";
      if (answer || details.closest("aside") || details.textContent.trim() === details.closest("section").textContent.trim()) return false;
      details.classList.add("fragment", "custom");
      return true;
    });
  }

  function fitSection(section) {
    const heading = section.querySelector("h1, h2, h3")?.textContent.replace("¶", "");
    for (let slide = section.firstElementChild; slide; slide = slide.nextElementSibling) {
      if (heading && !slide.querySelector("h1, h2, h3")) {
        slide.prepend(Object.assign(document.createElement("p"), { className: "running", textContent: heading }));
      }
      fitSlide(slide);
    }
  }

  // While what is on a slide is too small to read, its last cell goes to the next one.
  function fitSlide(slide) {
    const cells = [...slide.children].filter((cell) => !cell.matches(".running, .asked, aside"));
    const least = cells[0]?.querySelector("h1:only-child, h2:only-child, h3:only-child") ? 2 : 1; // a heading does not stand alone
    if (cells.length && cells.every((cell) => cell.matches(".jp-CodeCell") && !cell.querySelector(".jp-RenderedHTMLCommon"))) {
      slide.classList.add("only-code"); // as large as it can be
      if (fits(slide, LARGE)) return;
      slide.classList.remove("only-code");
    }
    let next;
    while (!fits(slide, LARGE)) {
      if (cells.length <= least) return fits(slide, SMALL);
      next ??= sectionAfter(slide);
      const last = cells.pop();
      next.prepend(last, ...notesOf(last));
    }
  }

  function fits(slide, tries) {
    return tries.some(({ words, picture }) => {
      slide.style.setProperty("--scale", words);
      slide.style.setProperty("--picture", `${picture}px`);
      const wide = [...slide.querySelectorAll("table, pre, .katex-display")].some((one) => one.scrollWidth > ROOM);
      return slide.offsetHeight <= HEIGHT && !wide;
    });
  }

  // All pairs, those first that lose least; words above 27 pixels are given up before a picture is made smaller.
  function sizes(words, pictures) {
    const loss = (size) => (size.words > 1 ? (1.15 - size.words) / 10 : 0.02 + (1 - size.words) / 0.23) + (470 - size.picture) ** 2 / 17000;
    return words.flatMap((word) => pictures.map((picture) => ({ words: word, picture }))).sort((one, other) => loss(one) - loss(other));
  }

  function cellOf(element) {
    while (!element.parentElement.matches("section")) element = element.parentElement;
    return element;
  }

  // The speaker's notes on a cell stand behind it, and go where it goes.
  function notesOf(cell) {
    const notes = [];
    for (let next = cell.nextElementSibling; next?.matches("aside"); next = next.nextElementSibling) notes.push(next);
    return notes;
  }

  function afterNotes(cell) {
    return [cell, ...notesOf(cell)].at(-1).nextElementSibling;
  }

  // Move a cell, and what follows it on its slide, to a slide of its own.
  function splitBefore(cell) {
    const cells = [...(cell?.parentElement.children ?? [])];
    if (cells.indexOf(cell) > 0) sectionAfter(cell.parentElement).append(...cells.slice(cells.indexOf(cell)));
  }

  function sectionAfter(slide) {
    slide.after(document.createElement("section"));
    return slide.nextElementSibling;
  }
})();
