// Uploads from the file list: choose files or a folder, or drop both anywhere on the list.
// tus-js-client (vendor/tus-js-client) is loaded before as a classic script: globalThis.tus.
import { added } from '../files/actions.js';
import { announce, count } from '../files/announce.js';
import { api } from '../files/api.js';
import { refresh } from '../files/refresh.js';
import { folder, onPage, root, staysWhile } from '../files/page.js';
import { showUsage } from '../files/usage.js';
import { toast } from '../toast.js';
import { fromDrop, fromInput } from './collect.js';
import { forget, unfinished } from './memory.js';
import { plan } from './plan.js';
import { enqueue, isBusy, whenStored } from './queue.js';
import { endpoint } from './send.js';

const GATHER_MS = 300;

staysWhile(isBusy);

async function take(gathering) {
  const target = folder();
  try {
    const found = await gathering;
    if (found.items.length + found.folders.length === 0) return;
    const planned = await plan(found, target, (entry) => added([entry]));
    if (planned) enqueue(planned);
  } catch (error) {
    toast(error.message, { kind: 'danger' });
  }
}

onPage((main) => {
  const zone = main.querySelector('[data-drop="here"]');
  if (!zone) return;
  const inputs = { files: zone.querySelector('[data-upload-input]'), folder: zone.querySelector('[data-upload-folder]') };
  for (const input of Object.values(inputs)) {
    const chosen = () => {
      if (input.files.length === 0) return;
      take(fromInput(input.files));
      input.value = ''; // so that the same can be chosen again
    };
    input.addEventListener('change', chosen);
    chosen(); // chosen while this module was still loading
  }
  for (const opener of main.querySelectorAll('[data-upload-choose]')) {
    opener.hidden = false;
    opener.addEventListener('click', (event) => {
      event.preventDefault();
      inputs[opener.dataset.uploadChoose].click();
    });
  }
  bindDrop(main, zone);
  tellUnfinished(main, inputs.files);
});

// Dropped anywhere beside the list counts, too.
function bindDrop(main, zone) {
  let depth = 0; // dragenter and dragleave also come from what is inside
  const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');
  main.addEventListener('dragenter', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth += 1;
    zone.dataset.dropping = '';
  });
  main.addEventListener('dragover', (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  main.addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) delete zone.dataset.dropping;
  });
  main.addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    delete zone.dataset.dropping;
    take(fromDrop(event.dataTransfer));
  });
}

async function tellUnfinished(main, input) {
  const place = main.querySelector('[data-unfinished]');
  const number = place ? await unfinished(endpoint(), folder() ?? '') : 0;
  if (number === 0 || isBusy()) return;
  place.querySelector('strong').textContent = `${count(number, 'upload')} into this folder ${number === 1 ? 'was' : 'were'} not finished.`;
  place.hidden = false;
  place.querySelector('[data-choose]').addEventListener('click', () => {
    place.hidden = true;
    input.click();
  });
  place.querySelector('[data-forget]').addEventListener('click', () => {
    place.hidden = true;
    forget(endpoint(), folder() ?? '');
  });
}

// What is stored appears in the list: by its name soon after, and exactly once all are done (kept beside another, it has another name).
const AGAIN_MS = [1000, 3000, 9000, 27000]; // the connection that carried the uploads may just have been cut
let names = [];
let timer = null;
whenStored((item, idle) => {
  if (item && (item.folder ?? null) === folder() && item.conflict !== 'keep-both') names.push(item.file.name);
  clearTimeout(timer);
  timer = setTimeout(() => show(idle, 0), GATHER_MS);
});

async function show(idle, attempt) {
  const wanted = names.splice(0, 1000);
  try {
    if (wanted.length > 0 && root()) added((await api('POST', '/entries/lookup', { folder: folder(), names: wanted })).entries);
    if (!idle) return;
    await refresh();
    await showUsage();
    announce('All uploads are done');
  } catch {
    names.push(...wanted);
    if (attempt < AGAIN_MS.length) timer = setTimeout(() => show(idle, attempt + 1), AGAIN_MS[attempt]);
  }
}
