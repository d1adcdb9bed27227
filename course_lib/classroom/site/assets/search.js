// Search over the sections of all pages. The index is a script, because a page opened as a file may load nothing else.
(() => {
  const box = document.getElementById("search"), list = document.getElementById("search-found");
  const count = document.getElementById("search-count"), MOST = 12, AROUND = 70;
  let entries = null; // [address, page, heading, text, all of it in plain small letters]
  let loading = null;

  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").normalize("NFC").toLowerCase();

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "assets/search-index.js";
      script.onload = () => {
        entries = window.courseIndex.map((one) => [...one, plain(one.slice(1).join(" "))]);
        resolve();
      };
      script.onerror = () => reject(new Error("the index could not be read"));
      document.head.append(script);
    });
    return loading;
  }

  // Every word of the query must be there. A word in a heading counts more than many in the text.
  function find(query) {
    const asked = plain(query).split(/\s+/).filter(Boolean);
    if (!asked.length) return [];
    const found = [];
    for (const entry of entries) {
      const [, page, heading, , all] = entry;
      if (!asked.every((word) => all.includes(word))) continue;
      const phrase = asked.join(" ");
      let score = 40 * plain(heading).includes(phrase) + 10 * all.includes(phrase);
      for (const word of asked) {
        score += 20 * plain(heading).includes(word) + 5 * plain(page).includes(word);
        score += Math.min(6, all.split(word).length - 1);
        score += 4 * new RegExp(`(?<![\\p{L}\\p{N}])${word.replace(/[^\p{L}\p{N}]/gu, "\\$&")}(?![\\p{L}\\p{N}])`, "u").test(all);
      }
      found.push({ entry, score, asked });
    }
    return found.sort((one, other) => other.score - one.score);
  }

  function around(text, asked) { // the words near the first hit
    const low = text.toLowerCase();
    const at = Math.max(0, Math.min(...asked.map((word) => low.indexOf(word)).filter((place) => place >= 0).concat(low.length)));
    const begin = at === low.length || at < AROUND ? 0 : text.indexOf(" ", at - AROUND) + 1;
    const end = begin + 2 * AROUND + 20 < text.length ? text.lastIndexOf(" ", begin + 2 * AROUND + 20) : text.length;
    return `${begin ? "… " : ""}${text.slice(begin, Math.max(end, at + 20))}${end < text.length ? " …" : ""}`;
  }

  function marked(text, asked) { // a fragment in which the words asked for stand in <mark>
    const fragment = document.createDocumentFragment();
    const pattern = new RegExp(`(${asked.map((word) => word.replace(/[^\p{L}\p{N}]/gu, "\\$&")).join("|")})`, "giu");
    text.split(pattern).forEach((piece, place) => {
      if (place % 2) fragment.append(Object.assign(document.createElement("mark"), { textContent: piece }));
      else fragment.append(piece);
    });
    return fragment;
  }

  function row({ entry: [address, page, heading, text], asked }) {
    const link = Object.assign(document.createElement("a"), { href: address });
    const title = document.createElement("strong");
    title.append(marked(heading, asked));
    link.append(title, Object.assign(document.createElement("span"), { className: "page", textContent: heading === page ? "" : page }));
    const words = document.createElement("span");
    words.className = "text";
    words.append(marked(around(text, asked), asked));
    link.append(words);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }

  async function search() {
    const query = box.value;
    if (!query.trim()) return close();
    try {
      await load();
    } catch (problem) {
      count.textContent = problem.message;
      return;
    }
    if (query !== box.value) return; // typed on while the index was read
    const found = find(query);
    list.replaceChildren(...found.slice(0, MOST).map(row));
    if (!found.length) list.append(Object.assign(document.createElement("li"), { className: "none", textContent: "Nothing has all of these words." }));
    list.hidden = false;
    count.textContent = found.length === 1 ? "1 section" : `${found.length} sections`;
  }

  function close() {
    list.hidden = true;
    list.replaceChildren();
    count.textContent = "";
  }

  function step(event) { // up and down through what was found
    const links = [...list.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (!links.length || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    (next < 0 ? box : links[Math.min(next, links.length - 1)]).focus();
  }

  const form = document.getElementById("search-form");
  box.addEventListener("input", search);
  box.addEventListener("focus", () => { load().catch(() => {}); if (box.value && list.hidden) search(); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { close(); box.focus(); } else step(event);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); list.querySelector("a")?.click(); });
  form.addEventListener("focusout", (event) => { if (event.relatedTarget && !form.contains(event.relatedTarget)) close(); });
  document.addEventListener("click", (event) => { if (!form.contains(event.target)) close(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=range], [type=radio]), textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
  });
})();
