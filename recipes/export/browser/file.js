// From a file to upright pixels: the browser decodes, and what it would not tell is read here.

const STRIP = 512; // rows that are copied at once, since phones limit a canvas
const ORIENTATION = 0x0112;

/** What the page says where a file cannot be used. */
class Unreadable extends Error {}

/**
 * A file's pixels on the background, and what decides how they are resized.
 * @returns {Promise<{picture, jpeg: boolean, turn: number, note: string}>}
 */
async function opened(file, reading, background) {
  if (!file.size) throw new Unreadable("The file is empty.");
  const bytes = new Uint8Array(await file.arrayBuffer());
  const about = header(bytes);
  if (about.width * about.height > reading.max_pixels) throw tooLarge(reading);
  if (about.bits > 8 && reading.levels) {
    throw new Unreadable("Pictures of more than 8 bits are scaled by levels in this model; " +
      "a browser has their 8 highest bits only. Use the command line for this one.");
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: "none", imageOrientation: "from-image", premultiplyAlpha: "none",
    });
  } catch {
    throw new Unreadable("This browser cannot read the file as a picture: it is damaged, " +
      "or of a kind that the browser does not know.");
  }
  try {
    if (bitmap.width * bitmap.height > reading.max_pixels) throw tooLarge(reading);
    const stored = about.turn >= 5 ? [about.height, about.width] : [about.width, about.height];
    const turn = stored[0] === bitmap.width && stored[1] === bitmap.height ? about.turn : 1;
    return { picture: pixelsOf(bitmap, background), jpeg: about.jpeg, turn, note: noteOn(about) };
  } finally {
    bitmap.close();
  }
}

function tooLarge(reading) {
  const most = reading.max_pixels.toLocaleString("en");
  return new Unreadable(`The picture has more pixels than ${most}.`);
}

function noteOn(about) {
  if (about.bits > 8) {
    return `The picture has ${about.bits} bits a colour; the browser keeps 8 of them.`;
  }
  return about.channels === 4 && about.jpeg
    ? "The picture is in the colours of print (CMYK), which the browser converts in its own way."
    : "";
}

function pixelsOf(bitmap, background) {
  const { width, height } = bitmap;
  const picture = blank(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = Math.min(STRIP, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = `rgb(${background.join(" ")})`;
  let place = 0;
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, rows);
    for (let at = 0; at < data.length; at += 4) {
      picture.data[place++] = data[at];
      picture.data[place++] = data[at + 1];
      picture.data[place++] = data[at + 2];
    }
  }
  return picture;
}

/** What a file's first bytes say; of other formats than JPEG and PNG nothing is known. */
function header(bytes) {
  const unknown = { jpeg: false, turn: 1, bits: 8, channels: 3, width: 0, height: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0) === 0x89504e47) {
      const sides = { width: view.getUint32(16), height: view.getUint32(20) };
      return { ...unknown, ...sides, bits: Math.max(8, bytes[24]) };
    }
    return view.getUint16(0) === 0xffd8 ? jpegHeader(view, { ...unknown, jpeg: true }) : unknown;
  } catch (error) {
    if (error instanceof RangeError) return unknown; // cut: decoding will say so
    throw error;
  }
}

function jpegHeader(view, about) {
  for (let at = 2; view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === 0xe1 && about.turn === 1) about.turn = orientation(view, at + 4);
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      about.bits = view.getUint8(at + 4);
      about.height = view.getUint16(at + 5);
      about.width = view.getUint16(at + 7);
      about.channels = view.getUint8(at + 9);
      return about;
    }
    at += 2 + view.getUint16(at + 2);
  }
  return about;
}

/** The EXIF orientation in a block of a JPEG, 1 where there is none. */
function orientation(view, at) {
  if (view.getUint32(at) !== 0x45786966) return 1; // "Exif"
  const tiff = at + 6;
  const little = view.getUint16(tiff) === 0x4949;
  const first = tiff + view.getUint32(tiff + 4, little);
  if (first + 2 > view.byteLength) return 1;
  for (let k = 0; k < view.getUint16(first, little); k++) {
    const entry = first + 2 + 12 * k;
    if (view.getUint16(entry, little) === ORIENTATION) {
      const found = view.getUint16(entry + 8, little);
      return found in TURNS ? found : 1;
    }
  }
  return 1;
}
