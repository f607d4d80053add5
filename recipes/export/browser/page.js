// The page itself: a picture comes in, its answer is shown. Texts become text, never markup.

const about = JSON.parse(document.getElementById("about").textContent);
const packed = {}; // filled by the scripts beside the page: gzip, as base64
const MOST_BARS = 6; // of classes that exclude each other; the others are folded
const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let model; // a promise of {session, ort, known}
let turn = 0; // of the picture that was chosen last

function load() {
  return loading().catch((error) => {
    refuse(`The model could not be loaded: ${error.message}`);
    throw error;
  });
}

async function loading() {
  say("Loading the model …");
  await script("model.js");
  const ort = await runtime();
  const session = await ort.InferenceSession.create(await unpacked(packed.model));
  const known = packed.features && knownFrom({
    features: await unpacked(packed.features),
    distances: await unpacked(packed.distances),
    held_out: packed.held_out && await unpacked(packed.held_out),
  }, about.novelty.channels);
  for (const name of Object.keys(packed)) delete packed[name];
  say("Ready. Choose a picture.");
  return { session, ort, known };
}

/** ONNX Runtime Web, from beside the page or from its public address. */
async function runtime() {
  let code, wasm;
  if (about.runtime.addresses) {
    [code, wasm] = await Promise.all(about.runtime.addresses.map(fetched));
  } else {
    await script("runtime.js");
    [code, wasm] = [await unpacked(packed.code), await unpacked(packed.wasm)];
  }
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.numThreads = 1;
  return ort;
}

async function fetched([address, integrity]) {
  let answer;
  try {
    answer = await fetch(address, { integrity, credentials: "omit", referrerPolicy: "no-referrer" });
  } catch {
    throw new Error(`${address} cannot be reached, or is not what was tested.`);
  }
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}

function script(name) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = name;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${name} is not beside the page.`));
    document.head.append(element);
  });
}

async function unpacked(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = letters.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Classify a file and show what came of it; a later file takes the place of an earlier one. */
async function classify(file) {
  const mine = ++turn;
  at("answer").hidden = true;
  at("problem").textContent = "";
  say(`Looking at ${file.name} …`);
  try {
    const { picture, jpeg, turn: orientation, note } =
      await opened(file, about.reading, about.background);
    const pixels = fitted(picture, about.size, about.reading, about, jpeg, orientation);
    const { probabilities, novel } = await answered(pixels.data);
    if (mine !== turn) return;
    show(file, probabilities, novel, note);
  } catch (error) {
    if (mine !== turn) return;
    refuse(error instanceof Unreadable
      ? `${file.name}: ${error.message}` : `${file.name}: it could not be classified (${error.message}).`);
  }
}

async function answered(pixels) {
  const { session, ort, known } = await (model ??= load());
  const [width, height] = about.size;
  const input = new ort.Tensor("float32", Float32Array.from(pixels), [1, height, width, 3]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const [first, second] = session.outputNames.map((name) => outputs[name].data);
  const novel = known ? novelty(second, known, about.novelty.neighbours) : NaN;
  return { probabilities: [...first], novel };
}

/** What the outputs say: the bars, in their order, and which of them are said. */
function told(probabilities) {
  const { task, classes, thresholds } = about.labels;
  const shares = task === "binary" ? [1 - probabilities[0], probabilities[0]] : probabilities;
  const bars = classes.map((name, k) => ({ name, share: shares[k], said: false }));
  if (task === "multilabel") {
    bars.forEach((bar, k) => {
      bar.limit = Math.fround(thresholds?.[k] ?? 0.5);
      bar.said = bar.share >= bar.limit;
    });
    return bars;
  }
  if (task === "binary") {
    bars[1].limit = Math.fround(thresholds?.[0] ?? 0.5);
    bars[Number(bars[1].share >= bars[1].limit)].said = true;
    return bars;
  }
  bars.sort((a, b) => b.share - a.share);
  bars[0].said = true;
  return bars;
}

function show(file, probabilities, novel, note) {
  const bars = told(probabilities);
  const said = bars.filter((bar) => bar.said);
  const label = said.map((bar) => bar.name).join("; ") || "none of the labels";
  const one = about.labels.task !== "multilabel";
  at("label").textContent = label;
  at("share").textContent = one ? percent(said[0].share) : "";
  const shown = one ? MOST_BARS : bars.length;
  fill(at("bars"), bars.slice(0, shown));
  fill(at("others"), bars.slice(shown));
  at("more").hidden = bars.length <= shown;
  at("limits").hidden = !bars.some((bar) => bar.limit !== undefined);
  const unlike = novel >= about.novelty?.unlikeFrom;
  at("unlike").hidden = !unlike;
  at("novelty").hidden = !about.novelty;
  at("novelty").value = novel;
  at("novelty").textContent = Number.isNaN(novel)
    ? "The training knew too few pictures to say whether this one is unlike them."
    : `Novelty ${novel.toFixed(2)}: of the known pictures ${percent(novel)} lie nearer to the others.`;
  at("note").textContent = note;
  URL.revokeObjectURL(at("picture").src);
  at("picture").src = URL.createObjectURL(file);
  at("picture").alt = `The picture ${file.name}`;
  at("answer").hidden = false;
  say(`${file.name}: ${label}${one ? `, ${percent(said[0].share)}` : ""}.` +
    (unlike ? " The picture is unlike those of the training." : ""));
}

function fill(list, bars) {
  list.replaceChildren(...bars.map(({ name, share, said, limit }) => {
    const item = document.createElement("li");
    const text = document.createElement("span");
    const value = document.createElement("data");
    const track = document.createElement("div");
    const bar = document.createElement("div");
    item.className = said ? "said" : "";
    text.textContent = name;
    text.className = "name";
    value.value = share;
    value.textContent = percent(share) + (said ? " ✓" : "");
    track.className = "track";
    track.setAttribute("aria-hidden", "true");
    bar.className = "bar";
    bar.style.width = `${100 * share}%`;
    track.append(bar);
    if (limit !== undefined) {
      const mark = document.createElement("div");
      mark.className = "limit";
      mark.style.left = `${100 * limit}%`;
      track.append(mark);
      item.title = `said from ${percent(limit)} on`;
    }
    item.append(text, value, track);
    return item;
  }));
}

const say = (text) => { at("status").textContent = text; };

function refuse(text) {
  say("");
  at("problem").textContent = text;
}

function chosen(files) {
  if (files.length) classify(files[0]);
}

/** The live picture where the browser gives one (https, localhost), else the phone's camera. */
async function camera() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    at("snapshot").click();
    return;
  }
  at("live").srcObject = stream;
  at("finder").onclose = () => stream.getTracks().forEach((track) => track.stop());
  at("finder").showModal();
}

function take() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [at("live").videoWidth, at("live").videoHeight];
  if (!canvas.width) return; // the camera has not begun
  canvas.getContext("2d").drawImage(at("live"), 0, 0);
  at("finder").close();
  canvas.toBlob((blob) => classify(new File([blob], "camera.png", { type: "image/png" })));
}

for (const id of ["file", "snapshot"]) {
  at(id).addEventListener("change", ({ target }) => {
    chosen([...target.files]);
    target.value = ""; // the same file can be chosen again
  });
}
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("place").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") chosen([...event.dataTransfer.files]);
  });
}
at("choose").addEventListener("click", () => at("file").click());
at("camera").addEventListener("click", camera);
at("take").addEventListener("click", take);
at("close").addEventListener("click", () => at("finder").close());
model = load();
model.catch(() => {}); // it was said
