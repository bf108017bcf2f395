// Restores a photo with an exported network: ONNX Runtime Web on WebGPU, or on WebAssembly where there is none.

const CELL = 32;           // tiles begin at multiples: the network takes local means on a grid of such cells
const OVERLAP = 6 * CELL;  // pixels that neighbouring tiles share ...
const FADE = CELL;         // ... and over which, in the middle, one gives way to the other
const TILE = 512;
const MOST_PIXELS = 24e6;  // of a photo: canvases and memory have limits

const find = (id) => document.getElementById(id);
const say = (text) => { find("status").textContent = text; };

// Spans [start, stop] that cover length, as equal as can be, on the grid of cells.
export function split(length, tile = TILE) {
  if (length <= tile) return [[0, length]];
  const even = (count) => Math.max(Math.ceil((length - OVERLAP) / count / CELL) * CELL, OVERLAP) + OVERLAP;
  const size = even(Math.ceil((length - OVERLAP) / (tile - OVERLAP)));
  const step = size - OVERLAP;
  const count = Math.ceil((length - OVERLAP) / step);
  return Array.from({ length: count }, (_, i) => [i * step, Math.min(i * step + size, length)]);
}

// Weight of every pixel of one span; all spans together weigh 1 at every pixel.
export function weights(spans, number) {
  const [start, stop] = spans[number];
  const rise = (place, one, other) => {
    const middle = (spans[one][1] + spans[other][0]) / 2;
    return Math.sin(Math.min(Math.max((place - middle) / FADE + 0.5, 0), 1) * Math.PI / 2) ** 2;
  };
  return Float32Array.from({ length: stop - start }, (_, i) => {
    const place = start + i + 0.5;
    const before = number > 0 ? rise(place, number - 1, number) : 1;
    return number + 1 < spans.length ? before * (1 - rise(place, number, number + 1)) : before;
  });
}

let runtime;       // ONNX Runtime Web, loaded once
const sessions = new Map();

async function session(name) {
  if (!sessions.has(name)) {
    const gpu = "gpu" in navigator && await navigator.gpu.requestAdapter();
    runtime ??= await import(gpu ? "./ort/ort.webgpu.min.mjs" : "./ort/ort.wasm.min.mjs");
    runtime.env.wasm.numThreads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
    const executionProviders = gpu ? ["webgpu", "wasm"] : ["wasm"];
    sessions.set(name, await runtime.InferenceSession.create(`models/${name}.onnx`, { executionProviders }));
  }
  return sessions.get(name);
}

// RGBA pixels in, an RGBA ImageData out; alpha is kept.
async function restore(network, image, progress) {
  const { width, height, data } = image;
  const rows = split(height), columns = split(width);
  const sums = new Float32Array(3 * width * height);
  let done = 0;
  for (const [r, [top, bottom]] of rows.entries()) {
    for (const [c, [left, right]] of columns.entries()) {
      const h = bottom - top, w = right - left, tile = new Float32Array(3 * h * w);
      for (let k = 0; k < 3; k++)
        for (let y = 0; y < h; y++)
          for (let x = 0; x < w; x++)
            tile[(k * h + y) * w + x] = data[((top + y) * width + left + x) * 4 + k] / 255;
      const { output } = await network.run({ input: new runtime.Tensor("float32", tile, [1, 3, h, w]) });
      const down = weights(rows, r), across = weights(columns, c), values = output.data;
      for (let k = 0; k < 3; k++)
        for (let y = 0; y < h; y++)
          for (let x = 0; x < w; x++)
            sums[(k * height + top + y) * width + left + x] += values[(k * h + y) * w + x] * down[y] * across[x];
      progress(++done / (rows.length * columns.length));
      await new Promise((next) => setTimeout(next));  // let the page breathe
    }
  }
  const result = new ImageData(new Uint8ClampedArray(data), width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++)
    for (let k = 0; k < 3; k++) result.data[i * 4 + k] = sums[k * plane + i] * 255;  // clamps and rounds
  return result;
}

async function open(source) {
  const bitmap = await createImageBitmap(source);
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Error("the photo has more than 24 megapixels");
  const canvas = find("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0);
}

async function run(source) {
  const canvas = find("canvas"), bar = find("progress");
  find("save").hidden = true;
  try {
    await open(source);
    bar.hidden = false;
    bar.value = 0;
    say("Loading the network ...");
    const network = await session(find("task").value);
    say("Restoring ...");
    const start = performance.now(), context = canvas.getContext("2d");
    context.putImageData(await restore(network, context.getImageData(0, 0, canvas.width, canvas.height),
      (part) => { bar.value = part; }), 0, 0);
    say(`Done: ${canvas.width} x ${canvas.height} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    find("save").href = canvas.toDataURL("image/png");
    find("save").download = "restored.png";
    find("save").hidden = false;
  } catch (error) {
    say(`Not possible: ${error.message}`);
  } finally {
    bar.hidden = true;
  }
}

if (typeof document !== "undefined") {
  const names = await (await fetch("models/index.json")).json();
  find("task").append(...names.map((name) => new Option(name)));
  let last;
  find("photo").addEventListener("change", ({ target }) => { if ((last = target.files[0])) run(last); });
  find("task").addEventListener("change", () => { if (last) run(last); });
  const given = new URLSearchParams(location.search).get("photo");  // index.html?photo=folder/photo.png, of this site
  if (given) {
    last = await (await fetch(given)).blob();
    run(last);
  }
}
