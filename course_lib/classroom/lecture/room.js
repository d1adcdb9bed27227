// The lecture's side of the votes: an address and a code beside a question, and bars where it is answered.
(() => {
  const settings = JSON.parse(document.getElementById("course-live").textContent), ASK_MS = 1000;
  if (!settings.room) return;
  const questions = new Map();
  let open = null, clock;

  const tell = async (body) => {
    const headers = { Authorization: `token ${settings.token}`, "Content-Type": "application/json" };
    return (await fetch(`${settings.base}lecture/room`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  };

  function panel(slide, identity) {
    const { address, code } = settings.room;
    const box = Object.assign(document.createElement("div"), { className: "course-room" });
    box.innerHTML = `${code}<p class="course-room-address"></p><p class="course-room-count" role="status"></p>`;
    box.querySelector("svg").setAttribute("role", "img");
    box.querySelector("svg").setAttribute("aria-label", `QR code of ${address}`);
    box.querySelector(".course-room-address").textContent = address.replace("http://", "");
    box.dataset.id = identity;
    slide.classList.add("has-room");
    slide.append(box);
  }

  function count(answers) {
    const words = `${answers} ${answers === 1 ? "answer" : "answers"}`;
    document.querySelectorAll(`.course-room[data-id="${open}"] .course-room-count`).forEach((one) => { if (one.textContent !== words) one.textContent = words; });
  }

  async function ask(identity) {
    const { question, options, number } = questions.get(identity);
    open = identity;
    clearInterval(clock);
    count((await tell({ do: "ask", identity, question, options, number })).answers);
    clock = setInterval(async () => { if (open === identity) count((await tell({ do: "count" })).answers); }, ASK_MS);
  }

  async function close(slide, identity) {
    clearInterval(clock);
    open = null;
    const { bars, answers } = await tell({ do: "close", identity });
    if (!answers) return;
    const box = slide.querySelector(".course-bars") ?? Object.assign(document.createElement("div"), { className: "course-bars" });
    const most = Math.max(...bars.map((bar) => bar.count));
    box.setAttribute("role", "img");
    const plain = (html) => Object.assign(document.createElement("span"), { innerHTML: html }).textContent;
    box.setAttribute("aria-label", `The room: ${bars.map((bar) => `${plain(bar.text)}: ${bar.count}`).join("; ")}`);
    box.innerHTML = bars.map((bar) => `<div><span class="course-bar-text">${bar.text}</span><span class="course-bar-line"><i style="width:${100 * bar.count / most}%"></i></span><b>${bar.count}</b></div>`).join("");
    const asked = slide.querySelector(".asked");
    if (asked) asked.after(box);
    else slide.prepend(box);
    window.courseFit(slide);
  }

  function look(slide) {
    const box = slide.querySelector(".course-room"), answer = slide.querySelector(".course-reveal[data-id]");
    if (box && open !== box.dataset.id) ask(box.dataset.id);
    if (answer && questions.has(answer.dataset.id)) close(slide, answer.dataset.id);
  }

  document.addEventListener("course-asked", ({ detail }) => {
    const slide = detail.el.closest("section");
    questions.set(detail.identity, detail);
    slide.querySelector(".course-room")?.remove();
    panel(slide, detail.identity);
    if (slide === Reveal.getCurrentSlide()) look(slide);
  });
  Reveal.on("slidechanged", ({ currentSlide }) => look(currentSlide));
})();
