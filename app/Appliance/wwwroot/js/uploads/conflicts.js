// One dialog for all names that are taken: new version, keep both, or skip; for all of them, or for each. Answers a map from item to choice,
// or null. Where a folder has the name, a file cannot become its new version: it is kept beside it.
import { ask, element } from '../files/dom.js';
import { relative } from '../time.js';
import { size } from './text.js';

const CHOICES = [['version', 'New version'], ['keep-both', 'Keep both'], ['skip', 'Skip']];
const SHOWN = 200;

export async function askConflicts(taken) {
  const dialog = document.getElementById('conflict-dialog');
  const count = taken.length;
  dialog.querySelector('h2').textContent = count === 1 ? 'A name that is taken' : `${count} names are taken`;
  dialog.querySelector('#conflict-text').textContent = count === 1
    ? `There is already a “${taken[0].found.name}” here.`
    : 'Files of these names are here already. Nothing has been sent yet.';
  dialog.querySelector('legend').textContent = count === 1 ? 'What shall happen with it?' : 'For all of them';
  const [all, each] = [dialog.querySelector('[data-conflict-all]'), dialog.querySelector('[data-conflict-each]')];
  const radios = [...all.querySelectorAll('input')];
  radios[0].checked = true;
  const selects = new Map(taken.slice(0, SHOWN).map(({ item, found }) => [item, chooser(item, found)]));
  dialog.querySelector('[data-conflict-list]').replaceChildren(...[...selects].map(([item, select]) => line(item, select, taken.find((one) => one.item === item).found)));
  each.open = false;
  each.hidden = count === 1;
  const forAll = () => radios.find((radio) => radio.checked)?.value ?? 'version';
  all.onchange = () => {
    for (const select of selects.values()) select.value = [...select.options].some((option) => option.value === forAll()) ? forAll() : 'keep-both';
  };
  if (!(await ask(dialog))) return null;
  return new Map(taken.map(({ item, found }) => [item, selects.get(item)?.value ?? (found.kind === 'folder' && forAll() === 'version' ? 'keep-both' : forAll())]));
}

function chooser(item, found) {
  const select = element('select');
  select.setAttribute('aria-label', `What happens with ${[...item.way, item.file.name].join('/')}`);
  for (const [value, text] of CHOICES) {
    if (found.kind === 'folder' && value === 'version') continue;
    const option = element('option', '', text);
    option.value = value;
    select.append(option);
  }
  return select;
}

function line(item, select, found) {
  const there = found.kind === 'folder' ? 'a folder has this name' : `here: ${size(found.size ?? 0)}, ${relative(new Date(found.modifiedAt))}`;
  const name = element('bdi', 'truncate', [...item.way, item.file.name].join('/'));
  name.title = name.textContent;
  return element('li', '', element('div', '', name, element('small', 'muted', `${there} · yours: ${size(item.file.size)}, ${relative(new Date(item.file.lastModified))}`)), select);
}
