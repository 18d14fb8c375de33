// The inside of a PDF preview. It runs in an opaque origin, sandboxed, without network: the page around it (preview-pdf.js) hands in the bytes, and
// hears how many pages there are. Nothing that a PDF brings is run: pages are drawn on a canvas, and the PDF's own scripts, forms and links are not made.
import * as worker from '../vendor/pdfjs-dist/pdf.worker.min.mjs';
import { getDocument } from '../vendor/pdfjs-dist/pdf.min.mjs';

globalThis.pdfjsWorker = worker; // a worker of its own cannot be started from an opaque origin; this whole frame is apart already

const MOST_PIXELS = 16e6;
const MOST_SIDE = 8192;

const canvas = document.querySelector('canvas');
const [previous, next] = document.querySelectorAll('button');
const place = document.querySelector('[data-place]');
const words = document.querySelector('[data-words]');
let pdf, number, drawing;

const tell = (message) => parent.postMessage(message, '*'); // nothing secret: page numbers, and whether it can be read

addEventListener('message', async (event) => {
  if (event.source !== parent || event.data?.type !== 'open' || pdf) return;
  try {
    pdf = await getDocument({
      data: event.data.bytes,
      isEvalSupported: false,
      enableXfa: false,
      useWasm: false,
      useWorkerFetch: false,
      wasmUrl: new URL('../vendor/pdfjs-dist/', import.meta.url).href, // the decoders without WebAssembly
      maxImageSize: MOST_PIXELS,
      canvasMaxAreaInBytes: MOST_PIXELS * 4,
      verbosity: 0,
    }).promise;
    await show(1);
  } catch (error) {
    tell({ type: 'failed', reason: error?.name === 'PasswordException' ? 'password' : 'broken' });
  }
});

previous.addEventListener('click', () => turn(-1));
next.addEventListener('click', () => turn(1));
addEventListener('keydown', (event) => {
  const step = { PageUp: -1, ArrowLeft: -1, PageDown: 1, ArrowRight: 1 }[event.key];
  if (step && pdf) {
    event.preventDefault();
    turn(step);
  }
});

function turn(step) {
  const wanted = number + step;
  if (wanted >= 1 && wanted <= pdf.numPages) show(wanted).catch(() => tell({ type: 'failed', reason: 'broken' }));
}

async function show(wanted) {
  number = wanted;
  previous.disabled = wanted === 1;
  next.disabled = wanted === pdf.numPages;
  place.textContent = `Page ${wanted} of ${pdf.numPages}`;
  drawing?.cancel();
  const page = await pdf.getPage(wanted);
  if (number !== wanted) return; // turned on meanwhile
  const viewport = fit(page);
  canvas.width = Math.floor(viewport.width);
  canvas.height = Math.floor(viewport.height);
  canvas.setAttribute('aria-label', place.textContent);
  const text = await page.getTextContent();
  if (number !== wanted) return;
  words.textContent = text.items.map((item) => item.str + (item.hasEOL ? '\n' : '')).join('');
  drawing = page.render({ canvas, viewport, annotationMode: 0 }); // goes on when the frame is in view
  try {
    await drawing.promise;
  } catch (error) {
    if (error?.name === 'RenderingCancelledException') return;
    throw error;
  }
  tell({ type: 'shown', page: wanted, pages: pdf.numPages });
}

// As wide as the frame and sharp, within what a canvas can hold: a page may say that it is a mile wide.
function fit(page) {
  const plain = page.getViewport({ scale: 1 });
  const wanted = (innerWidth / plain.width) * Math.min(devicePixelRatio, 2);
  const most = Math.min(Math.sqrt(MOST_PIXELS / (plain.width * plain.height)), MOST_SIDE / plain.width, MOST_SIDE / plain.height);
  return page.getViewport({ scale: Math.min(wanted, most) });
}

tell({ type: 'ready' });
