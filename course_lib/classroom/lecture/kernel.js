// One kernel of Jupyter, and the widgets that it shows. The course's widgets are all of one kind, anywidget's: a module that
// draws into an element and speaks with its Python side through a model. So this page needs no widget manager of its own.
class CourseKernel extends EventTarget {
  constructor({ base, token, folder }) {
    super();
    Object.assign(this, { base, token, folder, models: new Map(), asked: new Map(), id: null, gone: false });
    this.session = crypto.randomUUID?.() ?? Math.random().toString(36).slice(2);
  }

  fetch(path, options = {}) {
    return fetch(`${this.base}${path}`, { ...options, headers: { Authorization: `token ${this.token}`, "Content-Type": "application/json" } });
  }

  async start() {
    const answer = await this.fetch("api/kernels", { method: "POST", body: JSON.stringify({ name: "python3", path: this.folder }) });
    if (!answer.ok) throw new Error(`no kernel was started: ${answer.status} ${await answer.text()}`);
    this.id = (await answer.json()).id;
    const address = new URL(`${this.base}api/kernels/${this.id}/channels?session_id=${this.session}&token=${this.token}`, location);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = () => this.end("the connection to Python is closed");
    await new Promise((done, fail) => { this.socket.onopen = done; this.socket.onerror = () => fail(new Error("no connection to Python")); });
    const subshell = await this.ask("control", "create_subshell_request", {});
    this.subshell = subshell.content.subshell_id; // sliders are answered while a cell runs
  }

  stop() {
    if (this.id) this.fetch(`api/kernels/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
    this.end("stopped");
    this.socket?.close();
  }

  end(why) {
    if (this.gone) return;
    this.gone = true;
    this.asked.forEach(({ fail }) => fail(new Error(why)));
    this.dispatchEvent(new CustomEvent("gone", { detail: why }));
  }

  send(channel, type, content, more = {}) {
    if (this.gone || this.socket?.readyState !== WebSocket.OPEN) return null;
    const id = `${this.session}-${this.count = (this.count ?? 0) + 1}`;
    const header = { msg_id: id, msg_type: type, session: this.session, username: "lecture", version: "5.4", date: new Date().toISOString(), ...more };
    this.socket.send(JSON.stringify({ channel, header, parent_header: {}, metadata: {}, content, buffers: [] }));
    return id;
  }

  // The reply to a request; `told` hears what Python says while it works.
  ask(channel, type, content, told = () => {}) {
    return new Promise((done, fail) => {
      const id = this.send(channel, type, content);
      if (id) this.asked.set(id, { done, fail, told, type: type.replace("request", "reply") });
      else fail(new Error("Python has stopped"));
    });
  }

  execute(code, told) {
    return this.ask("shell", "execute_request", { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true }, told);
  }

  receive(data) {
    const message = typeof data === "string" ? JSON.parse(data) : unpack(data);
    const { header: { msg_type: type }, content } = message, asked = this.asked.get(message.parent_header?.msg_id);
    if (type === "comm_open") this.open(message);
    else if (type === "comm_msg") this.models.get(content.comm_id)?.hear(content.data, message.buffers ?? []);
    else if (type === "update_display_data") this.dispatchEvent(new CustomEvent("updated", { detail: content }));
    else if (type === "status" && ["dead", "restarting", "autorestarting"].includes(content.execution_state)) this.end("Python has stopped");
    else if (asked?.type === type) { asked.reply = message; this.settle(message.parent_header.msg_id); }
    else if (type === "status" && content.execution_state === "idle" && asked) { asked.idle = true; this.settle(message.parent_header.msg_id); }
    else asked?.told(message);

    function unpack(bytes) { // the first number says how many parts there are, the next ones where they begin
      const view = new DataView(bytes), count = view.getUint32(0);
      const starts = Array.from({ length: count }, (_, i) => view.getUint32(4 * (i + 1)));
      const parts = starts.map((start, i) => bytes.slice(start, starts[i + 1]));
      return { ...JSON.parse(new TextDecoder().decode(parts[0])), buffers: parts.slice(1) };
    }
  }

  // A request is done when its reply has come and all that was shown: they travel apart, and either may be first.
  settle(id) {
    const { reply, idle, done } = this.asked.get(id);
    if (!reply || !idle) return;
    this.asked.delete(id);
    done(reply);
  }

  open({ content: { comm_id: id, target_name: target, data }, buffers }) {
    if (target === "jupyter.widget") this.models.set(id, new CourseModel(this, id, data.state, data.buffer_paths ?? [], buffers ?? []));
  }
}

class CourseModel {
  constructor(kernel, id, state, paths, buffers) {
    Object.assign(this, { kernel, id, state, changed: {}, listeners: new Map() });
    this.fill(state, paths, buffers);
  }

  fill(state, paths, buffers) {
    paths.forEach((path, i) => {
      const last = path.at(-1), place = path.slice(0, -1).reduce((at, key) => at[key], state);
      place[last] = new DataView(buffers[i]);
    });
  }

  get(name) { return this.state[name]; }
  set(name, value) { this.state[name] = this.changed[name] = value; this.tell(`change:${name}`, value); }
  on(name, heard) { this.listeners.set(name, [...(this.listeners.get(name) ?? []), heard]); }
  off(name, heard) { this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => heard && one !== heard)); }
  tell(name, ...words) { (this.listeners.get(name) ?? []).forEach((heard) => heard(...words)); }
  save_changes() {
    this.say({ method: "update", state: this.changed, buffer_paths: [] });
    this.changed = {};
  }
  send(content) { this.say({ method: "custom", content }); }
  say(data) { this.kernel.send("shell", "comm_msg", { comm_id: this.id, data }, { subshell_id: this.kernel.subshell }); }

  hear(data, buffers) {
    if (data.method === "custom") return void this.tell("msg:custom", data.content, buffers);
    if (data.method !== "update") return; // "echo_update" says again what this page has said
    this.fill(data.state, data.buffer_paths ?? [], buffers);
    Object.assign(this.state, data.state);
    Object.keys(data.state).forEach((name) => this.tell(`change:${name}`, this.state[name]));
  }

  // Draw this widget into an element. Returns the function that takes it away.
  async show(el) {
    const address = URL.createObjectURL(new Blob([this.state._esm], { type: "text/javascript" }));
    this.face ??= import(address).then(async ({ default: face }) => {
      face = typeof face === "function" ? await face() : face;
      await face.initialize?.({ model: this });
      return face;
    });
    const face = await this.face, id = `style-${this.state._anywidget_id}`;
    URL.revokeObjectURL(address);
    if (this.state._css && !document.getElementById(id)) {
      document.head.append(Object.assign(document.createElement("style"), { id, textContent: this.state._css }));
    }
    return face.render({ model: this, el });
  }
}
