// What can be done with entries. Each one changes the server first, then the list in place, and says so; what can be taken back offers it.
import { count } from './announce.js';
import { api, inPortions } from './api.js';
import { show } from './list.js';
import { chooseFolder } from './move.js';
import { folder, root } from './page.js';
import { closePanel, panelEntry } from './panel.js';
import { refresh } from './refresh.js';
import { label, place } from './rows.js';
import { focus, neighbour, tell } from './select.js';
import { toast } from '../toast.js';

export const references = (rows) => rows.map((row) => row.dataset.entry);
export const what = (rows) => (rows.length === 1 ? `“${label(rows[0])}”` : count(rows.length, 'item'));

export async function attempt(run) {
  try {
    return await run();
  } catch (error) {
    toast(error.message, { kind: 'danger' });
    if (error.status === 404 || error.status === 409 || error.status === 412) await refresh().catch(() => {}); // somebody was faster
    return null;
  }
}

// Puts entries into the list, if they belong into this folder.
export function added(entries) {
  if (!root()) return [];
  const rows = entries.filter((entry) => (entry.folder ?? null) === folder()).map(place);
  root().dispatchEvent(new CustomEvent('files:rows'));
  show();
  return rows;
}

export function removed(rows) {
  const next = neighbour(rows);
  const hadFocus = rows.some((row) => row.contains(document.activeElement)) || document.activeElement === document.body;
  if (rows.some((row) => row.dataset.entry === panelEntry())) closePanel();
  for (const row of rows) row.remove();
  show();
  tell(false);
  if (hadFocus) (next ? focus(next) : document.getElementById('content').focus());
}

export const trash = (rows) => rows.length > 0 && attempt(async () => {
  const text = what(rows);
  const entries = await inPortions(references(rows), (portion) => api('POST', '/entries/trash', { entries: portion }));
  removed(rows);
  toast(`${text} moved to the trash.`, { action: { label: 'Undo', run: () => restore(entries.map((entry) => entry.reference), text) } });
});

const restore = (entries, text) => attempt(async () => {
  const back = await inPortions(entries, (portion) => api('POST', '/trash/restore', { entries: portion }));
  const rows = added(back);
  focus(rows[0]);
  toast(`${text} restored.`);
});

export async function move(rows) {
  if (rows.length === 0) return;
  const to = await chooseFolder(`Move ${what(rows)}`, references(rows), folder());
  if (to) await moveTo(rows, to.reference, to.name);
}

export const moveTo = (rows, to, name) => attempt(async () => {
  const moving = rows.filter((row) => row.dataset.entry !== to);
  if (moving.length === 0 || to === folder()) return;
  const [text, from, chosen] = [what(moving), folder(), references(moving)];
  await inPortions(chosen, (portion) => api('POST', '/entries/move', { entries: portion, folder: to, conflict: 'refuse' }));
  removed(moving);
  toast(`${text} moved to “${name}”.`, { action: { label: 'Undo', run: () => moveBack(chosen, from, text) } });
});

const moveBack = (chosen, from, text) => attempt(async () => {
  const entries = await inPortions(chosen, (portion) => api('POST', '/entries/move', { entries: portion, folder: from, conflict: 'keep-both' }));
  focus(added(entries)[0]);
  toast(`${text} moved back.`);
});
