// A file over the whole window, and by arrow keys the files before and after it in the list: <dialog id="viewer">. What is shown is the preview of the
// file's own page, so whatever the panel can show and will not show holds here, too.
import { fetchPage, folderAddress, team } from './page.js';
import { loadMore } from './list.js';
import { showPreview } from './preview.js';
import { all, find } from './rows.js';
import { focus } from './select.js';
import { picture, waiting } from './skeleton.js';

const viewer = () => document.getElementById('viewer');
const part = (name) => viewer().querySelector(`[data-viewer-${name}]`);
const files = () => all().filter((row) => row.dataset.kind === 'file');
let shown = null; // the file's reference
let turn = 0;

export function view(reference) {
  if (!viewer().open) viewer().showModal();
  return show(reference);
}

async function show(reference) {
  const mine = ++turn;
  shown = reference;
  const rows = files();
  const at = rows.findIndex((row) => row.dataset.entry === reference);
  part('title').textContent = rows[at]?.dataset.name ?? '';
  part('place').textContent = at < 0 ? '' : `${at + 1} of ${rows.length}`;
  part('download').href = `${folderAddress(reference)}/content`;
  mayStep(at, rows.length);
  quiet();
  part('body').replaceChildren();
  const done = waiting(part('body'), () => picture(part('body')));
  try {
    const { page } = await fetchPage(`/teams/${team()}/files/${reference}/details`);
    if (mine !== turn) return;
    const fresh = page.querySelector('[data-preview]');
    if (!fresh) throw new Error('It is not there any more.');
    done();
    part('title').textContent = page.querySelector('[data-panel] h2').textContent;
    part('body').replaceChildren(document.adoptNode(fresh));
    showPreview(part('body'));
  } catch (error) {
    if (mine === turn) part('body').textContent = error.message === 'no connection' ? 'There is no connection to the appliance. Try again once it is back.' : 'This file is not there any more.';
  } finally {
    done();
  }
}

function mayStep(at, number) {
  const steps = { '-1': at > 0, 1: at >= 0 && (at < number - 1 || document.querySelector('[data-more]') !== null) };
  for (const button of viewer().querySelectorAll('[data-viewer-step]')) button.disabled = !steps[button.dataset.viewerStep];
}

async function step(by) {
  const from = shown;
  const next = () => {
    const rows = files();
    const at = rows.findIndex((row) => row.dataset.entry === from);
    return at < 0 ? null : rows[at + by];
  };
  if (by > 0 && !next()) await loadMore().catch(() => {});
  if (shown !== from || !viewer().open) return; // somebody stepped on meanwhile
  const row = next();
  if (row) await show(row.dataset.entry);
}

const quiet = () => viewer().querySelectorAll('audio, video').forEach((player) => player.pause());

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-viewer-step]');
  if (button) step(Number(button.dataset.viewerStep));
  const opener = event.target.closest('[data-view-full]');
  if (opener) view(opener.closest('[data-panel]').dataset.panel);
});

document.addEventListener('keydown', (event) => {
  if (!event.target.closest?.('#viewer') || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || event.target.matches('audio, video')) return; // there they wind
  event.preventDefault();
  step(document.dir === 'rtl' ? -by : by);
});

// "close" does not bubble.
document.addEventListener('close', (event) => {
  if (event.target !== viewer()) return;
  turn += 1;
  quiet();
  part('body').replaceChildren();
  const row = find(shown);
  if (row) focus(row);
}, { capture: true });
