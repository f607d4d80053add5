// How pixels become those of the model: Pillow's arithmetic, step by step, so that a page answers
// as training saw it. A picture is {width, height, data}: RGB, 8 bits each, row by row.

const GAP = 2; // Pillow's `reducing_gap`: averaging blocks comes first above twice this reduction
const SUPPORT = 2; // pixels that the bicubic kernel reaches to each side
const BITS = 22; // of the kernel's fixed-point weights

// What each EXIF orientation reads: axes swapped, x from the right, y from below.
const TURNS = {
  1: [false, false, false], 2: [false, true, false], 3: [false, true, true],
  4: [false, false, true], 5: [true, false, false], 6: [true, false, true],
  7: [true, true, true], 8: [true, true, false],
};
const BACK = { 6: 8, 8: 6 }; // the others are their own inverse

/** A picture at [width, height], as `recipes.images.decode` gives it. */
function fitted(picture, target, reading, { background, tallFirst }, jpeg, turn) {
  if (!jpeg) {
    const [box, inner] = placed([picture.width, picture.height], target, reading.resize);
    return padded(scaled(picture, inner, box, tallFirst), target, background);
  }
  // A JPEG is reduced and resized as it is stored, and put upright at the end.
  let stored = turned(picture, BACK[turn] ?? turn);
  const whole = [stored.width, stored.height];
  const [box, inner] = placed(whole, turn >= 5 ? [target[1], target[0]] : target, reading.resize);
  const factors = [0, 1].map((i) =>
    Math.floor(whole[i] / Math.max(1, halfToEven((whole[i] * inner[i]) / (box[i + 2] - box[i])))));
  const factor = [8, 4, 2].find((one) => Math.min(...factors) >= one) ?? 1;
  // So does libjpeg, but for colours that the file holds at half the resolution.
  if (factor > 1) stored = averaged(stored, [factor, factor], [0, 0, ...whole]);
  const small = scaled(stored, inner, box.map((edge) => edge / factor), tallFirst);
  return padded(turned(small, turn), target, background);
}

/** What of a picture is shown, [left, upper, right, lower], and how large it will be. */
function placed(size, target, resize) {
  const ratios = [size[0] / target[0], size[1] / target[1]];
  if (resize === "crop") {
    const [left, upper] = [0, 1].map((i) => (size[i] - target[i] * Math.min(...ratios)) / 2);
    return [[left, upper, size[0] - left, size[1] - upper], target];
  }
  const whole = [0, 0, ...size];
  if (resize !== "pad") return [whole, target];
  return [whole, size.map((side) => Math.max(1, halfToEven(side / Math.max(...ratios))))];
}

/** Pillow's `resize`: bicubic, antialiased, of a box; from 13.0 on what is tall shrinks down first. */
function scaled(picture, size, box, tallFirst) {
  if (picture.width === size[0] && picture.height === size[1] && isWhole(picture, box)) {
    return picture;
  }
  const factors = [0, 1].map((i) => Math.floor((box[i + 2] - box[i]) / size[i] / GAP) || 1);
  if (Math.max(...factors) > 1) {
    const safe = safeBox(picture, size, box);
    picture = averaged(picture, factors, safe);
    box = box.map((edge, i) => (edge - safe[i % 2]) / factors[i % 2]);
  }
  box = box.map(Math.fround);
  const across = (one) => resampled(one, [one.width, size[0], box[0], box[2]], true);
  const down = (one) => resampled(one, [one.height, size[1], box[1], box[3]], false);
  const lost = picture.height - size[1];
  const downFirst = tallFirst && lost > Math.max(0, 2 * (picture.width - size[0]));
  return downFirst ? across(down(picture)) : down(across(picture));
}

function isWhole(picture, box) {
  return box[0] === 0 && box[1] === 0 && box[2] === picture.width && box[3] === picture.height;
}

/** The pixels that resizing a box touches, [left, upper, right, lower]. */
function safeBox(picture, size, box) {
  const reach = [0, 1].map((i) => ((SUPPORT - 0.5) * (box[i + 2] - box[i])) / size[i]);
  return [
    Math.max(0, Math.trunc(box[0] - reach[0])), Math.max(0, Math.trunc(box[1] - reach[1])),
    Math.min(picture.width, Math.ceil(box[2] + reach[0])),
    Math.min(picture.height, Math.ceil(box[3] + reach[1])),
  ];
}

/** Pillow's `reduce`: the mean of each block, the last ones perhaps smaller. */
function averaged(picture, [across, down], [left, upper, right, lower]) {
  const made = blank(Math.ceil((right - left) / across), Math.ceil((lower - upper) / down));
  let place = 0;
  for (let y = upper; y < lower; y += down) {
    const bottom = Math.min(y + down, lower);
    for (let x = left; x < right; x += across) {
      const end = Math.min(x + across, right);
      const count = (end - x) * (bottom - y);
      let red = count >> 1, green = red, blue = red;
      for (let row = y; row < bottom; row++) {
        const stop = (row * picture.width + end) * 3;
        for (let from = (row * picture.width + x) * 3; from < stop; from += 3) {
          red += picture.data[from];
          green += picture.data[from + 1];
          blue += picture.data[from + 2];
        }
      }
      const share = Math.floor(2 ** 24 / count);
      made.data[place++] = Math.floor((red * share) / 2 ** 24);
      made.data[place++] = Math.floor((green * share) / 2 ** 24);
      made.data[place++] = Math.floor((blue * share) / 2 ** 24);
    }
  }
  return made;
}

/** One pass of Pillow's `resize`, rounded to 8 bits. */
function resampled(picture, [from, to, first, last], across) {
  if (from === to && first === 0 && last === to) return picture;
  const made = across ? blank(to, picture.height) : blank(picture.width, to);
  const step = across ? 3 : picture.width * 3; // between neighbours along the pass
  const lines = across ? picture.height : picture.width;
  const [read, write] = across ? [picture.width * 3, to * 3] : [3, 3]; // between lines
  const along = across ? 3 : made.width * 3;
  kernels(from, to, first, last).forEach(([start, weights], position) => {
    for (let line = 0; line < lines; line++) {
      const begin = line * read + start * step;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 1 << (BITS - 1);
        for (let k = 0, at = begin + channel; k < weights.length; k++, at += step) {
          sum += picture.data[at] * weights[k];
        }
        made.data[line * write + position * along + channel] = sum >> BITS; // clamped
      }
    }
  });
  return made;
}

/** For each new pixel the first old one that counts, and the weights from it on. */
function kernels(from, to, first, last) {
  const scale = Math.fround(last - first) / to;
  const spread = Math.max(scale, 1);
  return Array.from({ length: to }, (_, position) => {
    const center = first + (position + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - SUPPORT * spread + 0.5));
    const end = Math.min(from, Math.trunc(center + SUPPORT * spread + 0.5));
    const weights = [];
    for (let x = start; x < end; x++) weights.push(bicubic((x - center + 0.5) * (1 / spread)));
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    return [start, weights.map((weight) => {
      const share = (weight / whole) * 2 ** BITS;
      return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    })];
  });
}

function bicubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** A picture stored in an EXIF orientation, upright. */
function turned(picture, orientation) {
  if (orientation === 1) return picture;
  const [swap, right, below] = TURNS[orientation];
  const { width, height } = picture;
  const made = swap ? blank(height, width) : blank(width, height);
  let place = 0;
  for (let y = 0; y < made.height; y++) {
    for (let x = 0; x < made.width; x++) {
      const column = swap ? y : x, row = swap ? x : y;
      const from = (below ? height - 1 - row : row) * width + (right ? width - 1 - column : column);
      for (let channel = 0; channel < 3; channel++) made.data[place++] = picture.data[from * 3 + channel];
    }
  }
  return made;
}

/** A picture in the middle of a larger one of the colour of the background. */
function padded(picture, [width, height], background) {
  if (picture.width === width && picture.height === height) return picture;
  const made = blank(width, height);
  for (let at = 0; at < made.data.length; at++) made.data[at] = background[at % 3];
  const left = Math.floor((width - picture.width) / 2);
  const upper = Math.floor((height - picture.height) / 2);
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(y * picture.width * 3, (y + 1) * picture.width * 3);
    made.data.set(row, ((upper + y) * width + left) * 3);
  }
  return made;
}

function blank(width, height) {
  return { width, height, data: new Uint8ClampedArray(width * height * 3) };
}

function halfToEven(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}
