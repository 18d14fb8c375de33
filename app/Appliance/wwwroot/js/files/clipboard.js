// Cut and paste: what is cut is remembered for this tab, so that one can walk to another folder and paste there.
import { announce } from './announce.js';
import { added, attempt, references, removed, what } from './actions.js';
import { api, inPortions } from './api.js';
import { folder, onPage, team } from './page.js';
import { all, find } from './rows.js';
import { focus } from './select.js';
import { toast } from '../toast.js';

const CUT = 'files:cut';
const cutNow = () => JSON.parse(sessionStorage.getItem(CUT) ?? 'null');
export const isCutting = () => cutNow()?.team === team();

export function cut(rows) {
  if (rows.length === 0) sessionStorage.removeItem(CUT);
  else sessionStorage.setItem(CUT, JSON.stringify({ team: team(), folder: folder(), entries: references(rows), text: what(rows) }));
  showCut();
  announce(rows.length === 0 ? 'Nothing is cut' : `${what(rows)} cut. Go to a folder and press Control V.`);
  if (rows.length > 0) toast(`${what(rows)} cut. Open a folder and paste with Ctrl+V.`);
}

export const paste = () => isCutting() && attempt(async () => {
  const { entries, folder: from, text } = cutNow();
  if (from === folder()) return cut([]);
  const moved = await inPortions(entries, (portion) => api('POST', '/entries/move', { entries: portion, folder: folder(), conflict: 'refuse' }));
  sessionStorage.removeItem(CUT);
  focus(added(moved)[0]);
  toast(`${text} moved here.`, { action: { label: 'Undo', run: () => moveAway(entries, from) } });
});

const moveAway = (entries, to) => attempt(async () => {
  await inPortions(entries, (portion) => api('POST', '/entries/move', { entries: portion, folder: to, conflict: 'keep-both' }));
  removed(entries.map(find).filter(Boolean));
  announce('Moved back');
});

function showCut() {
  const gone = new Set(isCutting() ? cutNow().entries : []);
  for (const row of all()) row.toggleAttribute('data-cut', gone.has(row.dataset.entry));
}
onPage(showCut);
