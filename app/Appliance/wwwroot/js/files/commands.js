// The page's own buttons: <… data-act="trash"> inside the list, and <… data-panel-act="trash"> in the panel, which speaks of one entry.
import { move, trash } from './actions.js';
import { download } from './download.js';
import { newFolder, rename } from './naming.js';
import { onPage } from './page.js';
import { find } from './rows.js';
import { clear, selected } from './select.js';

export const shortcuts = () => document.getElementById('shortcuts-dialog').showModal();

const IN_LIST = {
  'new-folder': newFolder,
  download: () => download(selected()),
  move: () => move(selected()),
  trash: () => trash(selected()),
  clear,
  shortcuts,
};
const OF_ONE = { rename, move: (row) => move([row]), trash: (row) => trash([row]) };

onPage((main) => {
  for (const control of main.querySelectorAll('[data-act="shortcuts"]')) control.hidden = false;
});

document.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const run = IN_LIST[event.target.closest('[data-files] [data-act]')?.dataset.act];
  const one = event.target.closest('[data-panel-act]');
  const row = one && find(one.closest('[data-panel]').dataset.panel);
  if (!run && !row) return; // without a row beside it, the link leads to a page that does the same
  event.preventDefault();
  if (run) run();
  else OF_ONE[one.dataset.panelAct](row);
});
