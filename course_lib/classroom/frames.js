// Moves the explorers whose pictures were drawn beforehand. One control is away from its start at a time.
(() => {
  const PLAY_MS = 700;
  let count = 0;

  function make(tag, className, parent, properties = {}) {
    const node = document.createElement(tag);
    node.className = className;
    for (const [key, value] of Object.entries(properties)) {
      if (key in node) node[key] = value;
      else node.setAttribute(key, value);
    }
    parent.append(node);
    return node;
  }

  function setUp(root) {
    if (root.dataset.ready) return; // two players on a page
    root.dataset.ready = "yes";
    const { tracks, frames } = JSON.parse(root.querySelector("script").textContent);
    const id = `course-moving-${++count}`, question = root.querySelector("figcaption").textContent;
    const picture = root.querySelector("img"), number = root.querySelector(".course-moving-number");
    frames[0].src = picture.src;
    number.setAttribute("role", "status");
    number.setAttribute("aria-live", "polite");
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", question);
    const panel = make("div", "course-moving-controls", root);
    root.insertBefore(panel, picture);
    const at = tracks.map((track) => track.start), painters = [];

    function show(index, place) {
      tracks.forEach((track, other) => { at[other] = other === index ? place : track.start; });
      const frame = frames[index === null ? 0 : tracks[index].frames[place]];
      picture.src = frame.src;
      picture.alt = frame.alt;
      number.textContent = frame.number;
      painters.forEach((paint) => paint());
    }

    let playing = null;
    function pause() {
      if (!playing) return;
      clearInterval(playing.clock);
      playing.button.textContent = "Play";
      playing = null;
    }
    function move(index, place) { pause(); show(index, place); }

    const kinds = {
      slider(track, index, key) {
        const box = make("div", "", panel), line = make("div", "course-moving-line", box);
        make("label", "", line, { htmlFor: key, textContent: track.label });
        const output = make("output", "", line, { htmlFor: key }), row = make("div", "course-moving-row", box);
        const input = make("input", "", row, { type: "range", id: key, min: 0, max: track.texts.length - 1, step: 1 });
        input.dataset.name = track.name;
        input.oninput = () => move(index, Number(input.value));
        const button = make("button", "course-moving-play", row, { type: "button", textContent: "Play", "aria-label": `Play or pause: ${track.label}` });
        button.onclick = () => {
          const again = playing?.button !== button, last = track.texts.length - 1;
          pause();
          if (!again) return;
          button.textContent = "Pause";
          show(index, at[index] >= last ? 0 : at[index]);
          playing = { button, clock: setInterval(() => {
            show(index, Math.min(at[index] + 1, last));
            if (at[index] === last) pause();
          }, PLAY_MS) };
        };
        painters.push(() => {
          input.value = at[index];
          output.textContent = track.texts[at[index]];
          input.setAttribute("aria-valuetext", output.textContent);
        });
      },
      choice(track, index, key) {
        const box = make("div", "", panel);
        make("label", "course-moving-line", box, { htmlFor: key, textContent: track.label });
        const select = make("select", "", make("div", "course-moving-row", box), { id: key });
        select.dataset.name = track.name;
        track.texts.forEach((text, value) => make("option", "", select, { value, textContent: text }));
        select.onchange = () => move(index, Number(select.value));
        painters.push(() => { select.value = at[index]; });
      },
      toggle(track, index, key) {
        const row = make("div", "course-moving-row", panel);
        const input = make("input", "", row, { type: "checkbox", id: key });
        make("label", "", row, { htmlFor: key, textContent: track.label });
        input.dataset.name = track.name;
        input.onchange = () => move(index, Number(input.checked));
        painters.push(() => { input.checked = at[index] === 1; });
      },
    };
    tracks.forEach((track, index) => kinds[track.kind](track, index, `${id}-${index}`));
    if (tracks.length) {
      const reset = make("button", "", make("div", "course-moving-row", panel), { type: "button", textContent: "Reset", "aria-label": `Reset: ${question}` });
      reset.onclick = () => move(null, 0);
    }
    painters.forEach((paint) => paint());
  }

  const all = () => document.querySelectorAll("figure.course-moving").forEach(setUp);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
