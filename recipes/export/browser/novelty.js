// How unlike everything that the training knew a picture is; `recipes.transfer.novelty` in numbers.

/** The arrays that a run keeps, for `novelty`. */
function knownFrom({ features, distances, held_out: heldOut }, channels) {
  const halves = new Uint16Array(features.buffer);
  const numbers = (bytes) => bytes && new Float32Array(bytes.buffer);
  return {
    channels,
    features: Float32Array.from(halves, half),
    distances: numbers(distances),
    heldOut: numbers(heldOut),
  };
}

/** A 16-bit floating-point number from its bits. */
function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

/** The share of the known pictures that lie nearer to the others; NaN where they are too few. */
function novelty(features, known, neighbours) {
  const distance = distanceTo(features, known, neighbours);
  const count = known.distances.length;
  const nearer = below(known.distances, distance);
  if (!known.heldOut) return nearer / count;
  if (count <= neighbours) return NaN;
  const held = (below(known.heldOut, distance) + 1) / (known.heldOut.length + 1);
  return Math.min(nearer / (count + 1), held);
}

/** One minus the cosine to the nearest rows' last. */
function distanceTo(features, { features: rows, channels }, neighbours) {
  let squares = 0;
  for (const value of features) squares += value * value;
  const length = Math.max(Math.sqrt(squares), 1e-12);
  const distances = new Float32Array(rows.length / channels);
  for (let row = 0; row < distances.length; row++) {
    let sum = 0;
    for (let k = 0; k < channels; k++) sum += features[k] * rows[row * channels + k];
    distances[row] = 1 - sum / length;
  }
  return distances.sort()[Math.min(neighbours, distances.length) - 1];
}

/** How many of an ordered array are smaller. */
function below(ordered, value) {
  let low = 0, high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
