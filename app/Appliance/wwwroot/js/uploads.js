// Uploads from the file list: choose or drop, several at once, each resumable (tus 1.0) across a lost connection or a closed browser.
// <div data-drop data-uploads="/api/v1/teams/…/uploads" data-folder="reference or empty" data-icons="/assets/…/icons.svg">
//   <input type="file" multiple hidden data-upload-input>          [data-upload-choose] anywhere opens it; without script it is a link to a form
// tus-js-client (vendor/tus-js-client) is loaded before as a classic script: globalThis.tus.
import { Tray } from './uploads-tray.js';
import { rememberedUploads, fingerprint } from './uploads-memory.js';
import { sentence } from './uploads-errors.js';
import { toast } from './toast.js';

const PARALLEL = 3;
const RETRY_MS = [0, 1000, 3000, 5000, 10000, 20000, 30000, 60000];
const SPEED_WINDOW_MS = 5000;

// Not before tus-js-client, a deferred script further down, is there.
addEventListener('DOMContentLoaded', () => document.querySelectorAll('[data-uploads]').forEach(start));

function start(zone) {
  const items = [];
  const tray = new Tray(zone.dataset.icons, { pause, resume, cancel });
  const input = zone.querySelector('[data-upload-input]');

  for (const opener of document.querySelectorAll('[data-upload-choose]')) {
    opener.addEventListener('click', (event) => {
      event.preventDefault();
      input.click();
    });
  }
  const take = () => {
    if (input.files.length === 0) return;
    add(input.files);
    input.value = ''; // so that the same file can be chosen again
  };
  input.addEventListener('change', take);
  take(); // chosen while this module was still loading
  bindDrop(zone, add);
  addEventListener('beforeunload', (event) => {
    if (items.some((item) => item.state === 'uploading' || item.state === 'queued')) event.preventDefault();
  });

  function add(files) {
    for (const file of files) {
      const item = { file, state: 'queued', sent: 0, marks: [] };
      items.push(item);
      tray.add(item);
    }
    next();
  }

  function next() {
    while (items.filter((item) => item.state === 'uploading').length < PARALLEL) {
      const item = items.find((candidate) => candidate.state === 'queued');
      if (!item) break;
      run(item);
    }
    tray.summarise(items);
    finishWhenIdle();
  }

  async function run(item) {
    set(item, 'uploading');
    item.marks = [];
    item.upload ??= new globalThis.tus.Upload(item.file, options(item));
    try {
      if (!item.upload.url) {
        const [earlier] = await item.upload.findPreviousUploads();
        if (earlier) item.upload.resumeFromPreviousUpload(earlier);
      }
    } catch {
      // Storage is switched off: it starts from the beginning.
    }
    if (item.state === 'uploading') item.upload.start();
  }

  function options(item) {
    return {
      endpoint: zone.dataset.uploads,
      metadata: { filename: item.file.name, folder: zone.dataset.folder },
      headers: { RequestVerificationToken: document.querySelector('meta[name="csrf"]').content },
      retryDelays: RETRY_MS,
      removeFingerprintOnSuccess: true,
      urlStorage: rememberedUploads,
      fingerprint: (file) => fingerprint(file, zone.dataset.uploads, zone.dataset.folder),
      onShouldRetry: (error, attempt) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return status === 0 || (status === 409 && attempt < 2) || status === 423 || status === 429 || status === 460 || status >= 500 && status !== 507;
      },
      onProgress: (sent) => {
        item.sent = sent;
        measure(item);
        tray.show(item);
        tray.summarise(items);
      },
      onSuccess: () => done(item),
      onError: (error) => {
        item.error = sentence(error, item.sent);
        set(item, 'failed');
        next();
      },
    };
  }

  function done(item) {
    item.sent = item.file.size;
    set(item, 'done');
    next();
  }

  function set(item, state) {
    item.state = state;
    tray.show(item);
  }

  function pause(item) {
    item.upload?.abort();
    set(item, 'paused');
    next();
  }

  function resume(item) {
    set(item, 'queued');
    next();
  }

  async function cancel(item) {
    items.splice(items.indexOf(item), 1);
    item.state = 'cancelled';
    tray.remove(item);
    next();
    try {
      await item.upload?.abort(true); // tells the server to forget it
    } catch {
      // It forgets by itself after a day.
    }
  }

  // The list is read anew once everything is stored; failed and paused ones keep the page as it is.
  function finishWhenIdle() {
    if (items.length === 0 || items.some((item) => item.state !== 'done')) return;
    toast(items.length === 1 ? 'The file is stored.' : `${items.length} files are stored.`);
    items.length = 0;
    location.reload();
  }
}

function measure(item) {
  const now = performance.now();
  item.marks.push({ at: now, sent: item.sent });
  while (item.marks.length > 2 && now - item.marks[0].at > SPEED_WINDOW_MS) item.marks.shift();
  const first = item.marks[0];
  item.speed = now > first.at ? (item.sent - first.sent) * 1000 / (now - first.at) : 0;
}

function bindDrop(zone, add) {
  let depth = 0; // dragenter and dragleave also come from what is inside
  const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');
  zone.addEventListener('dragenter', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth += 1;
    zone.dataset.dropping = '';
  });
  zone.addEventListener('dragover', (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  zone.addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) delete zone.dataset.dropping;
  });
  zone.addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    delete zone.dataset.dropping;
    // A folder comes as an item that no file can be read of; it is left out rather than uploaded as an empty file.
    const entries = [...event.dataTransfer.items].filter((item) => item.kind === 'file');
    const files = entries.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter(Boolean);
    if (files.length < entries.length) toast('Folders cannot be dropped yet: open them and drop the files.', { kind: 'danger' });
    add(files);
  });
}
