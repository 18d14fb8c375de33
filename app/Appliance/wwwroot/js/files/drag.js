// Dragging rows onto a folder, or onto the way up in the breadcrumbs. Everybody else moves by the dialog (M) or by cut and paste.
import { moveTo, what } from './actions.js';
import { element } from './dom.js';
import { folder, folderAddress } from './page.js';
import { choose, selected } from './select.js';

const TYPE = 'application/x-appliance-entries';
let dragged = [];

export const isDragging = () => dragged.length > 0;

document.addEventListener('dragstart', (event) => {
  const row = event.target.closest?.('[data-rows] > tr');
  if (!row) return;
  if (row.getAttribute('aria-selected') !== 'true') choose(row);
  dragged = selected();
  event.dataTransfer.setData(TYPE, '');
  event.dataTransfer.effectAllowed = 'copyMove';
  if (dragged.length === 1 && row.dataset.kind === 'file') {
    // Chromium takes it out to the desktop.
    event.dataTransfer.setData('DownloadURL', `application/octet-stream:${row.dataset.name}:${new URL(`${folderAddress(row.dataset.entry)}/content`, location.href)}`);
  }
  const chip = element('div', 'drag-chip', what(dragged));
  document.body.append(chip);
  event.dataTransfer.setDragImage(chip, -12, -12);
  setTimeout(() => chip.remove());
});

// The folder under the pointer: { place, reference, name }, or null where nothing can be dropped.
function target(event) {
  if (!event.dataTransfer?.types.includes(TYPE)) return null;
  const row = event.target.closest?.('[data-rows] > tr[data-kind="folder"]');
  if (row) return dragged.includes(row) ? null : { place: row, reference: row.dataset.entry, name: row.dataset.name };
  const crumb = event.target.closest?.('.breadcrumbs a[href*="/files"]');
  if (!crumb) return null;
  const reference = new URL(crumb.href).pathname.split('/')[4] ?? null;
  return reference === folder() ? null : { place: crumb, reference, name: crumb.textContent.trim() };
}

const unmark = () => document.querySelectorAll('[data-drop-target]').forEach((place) => place.removeAttribute('data-drop-target'));

document.addEventListener('dragover', (event) => {
  const onto = target(event);
  if (!onto) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = 'move';
  if (onto.place.hasAttribute('data-drop-target')) return;
  unmark();
  onto.place.setAttribute('data-drop-target', '');
});
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget?.closest?.('[data-drop-target]')) unmark();
});
document.addEventListener('dragend', () => {
  unmark();
  dragged = [];
});
document.addEventListener('drop', (event) => {
  const onto = target(event);
  if (!onto) return;
  event.preventDefault();
  unmark();
  moveTo(dragged, onto.reference, onto.name);
  dragged = []; // rows that are gone never hear of the end
});
