// The list as tiles: the same rows, drawn otherwise by css/files-views.css, with pictures of the images among them. Only what the server shows
// anyway, and small enough: data-thumbs and data-thumb-bytes of the list say so. Fetched when a tile comes near the window.
import { announce } from './announce.js';
import { element } from './dom.js';
import { folderAddress, onPage, root } from './page.js';
import { all } from './rows.js';
import { isTiles, setView } from './view.js';

onPage((main) => {
  const list = main.querySelector('[data-files]');
  if (!list) return;
  const toggle = list.querySelector('[data-view]');
  toggle.hidden = false;
  toggle.addEventListener('click', () => {
    setView(isTiles() ? 'list' : 'tiles');
    announce(isTiles() ? 'Shown as tiles' : 'Shown as a list');
  });
  list.addEventListener('files:rows', pictures);
  show();
});

document.addEventListener('files:view', show);

function show() {
  root()?.querySelector('[data-view]').setAttribute('aria-pressed', String(isTiles()));
  pictures();
}

function pictures() {
  const list = root();
  if (!list || !isTiles()) return;
  const [types, most] = [new Set(list.dataset.thumbs.split(' ')), Number(list.dataset.thumbBytes)];
  for (const row of all()) {
    const { entry, media, modified, size } = row.dataset;
    const old = row.querySelector('.thumb');
    if (old?.dataset.of === modified || row.dataset.noThumb === modified) continue;
    old?.remove();
    if (!types.has(media) || Number(size) > most) continue;
    const picture = element('img', 'thumb');
    Object.assign(picture, { loading: 'lazy', decoding: 'async', alt: '', draggable: false });
    picture.dataset.of = modified;
    picture.addEventListener('error', () => {
      row.dataset.noThumb = modified; // the icon stands in for it
      picture.remove();
    });
    picture.src = `${folderAddress(entry)}/preview?at=${encodeURIComponent(modified)}`; // a changed file is another picture
    row.querySelector('.cell-flex').prepend(picture);
  }
}

// How many tiles stand side by side; 1 in the list.
export function columns() {
  if (!isTiles()) return 1;
  const rows = all();
  const top = rows[0]?.offsetTop;
  const next = rows.findIndex((row) => row.offsetTop !== top);
  return Math.max(1, next < 0 ? rows.length : next);
}
