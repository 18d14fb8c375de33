// What the panel shows of a file. Pictures and players are the page's own elements; text is fetched and shown as text; a PDF is drawn by
// preview-pdf.js. What cannot be shown says so calmly and leaves Download.
import { mount } from '../preview-pdf.js';

const TEXT_BYTES = 1 << 20;

export function showPreview(panel) {
  const place = panel.querySelector('[data-preview]');
  if (!place) return;
  const give = () => giveUp(place);
  for (const media of place.querySelectorAll('img, audio, video')) {
    if (media.error) media.load(); // it was parsed in a document that loads nothing (page.js)
    media.addEventListener('error', give);
    if (media.error || (media.tagName === 'IMG' && media.complete && media.naturalWidth === 0)) give();
  }
  const text = place.querySelector('[data-text]');
  if (text) showText(text).catch(give);
  const pdf = place.querySelector('[data-pdf]');
  if (pdf) {
    const { pdf: address, size, name } = pdf.dataset;
    mount(pdf, address, Number(size), { name, onState: ({ state }) => { if (!['loading', 'shown'].includes(state)) give(); } });
  }
}

function giveUp(place) {
  for (const child of place.children) child.hidden = !child.hasAttribute('data-cannot');
}

async function showText(pre) {
  const answer = await fetch(pre.dataset.text, { headers: { Range: `bytes=0-${TEXT_BYTES - 1}` } });
  if (answer.status === 416) return; // an empty file has no first byte
  if (!answer.ok || answer.redirected) throw new Error('no text');
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.includes(0)) throw new Error('not text');
  const total = Number(answer.headers.get('Content-Range')?.split('/')[1] ?? bytes.length);
  pre.textContent = new TextDecoder().decode(bytes);
  pre.parentElement.querySelector('[data-text-more]').hidden = total <= bytes.length;
}
