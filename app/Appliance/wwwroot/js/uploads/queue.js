// What is being uploaded from this browser window: a few at a time, each of which can be paused, retried and cancelled, and all of them.
// An item: { file, folder, conflict, state: queued | uploading | paused | waiting | failed | done | cancelled, sent, speed, error }.
import { Tray } from './tray.js';
import { endpoint, send } from './send.js';

const PARALLEL = 3;
const SHOW_MS = 250;
const items = [];
const tray = new Tray({ pause, resume, cancel, pauseAll, resumeAll, cancelAll, close });
let onStored = () => {};
let drawn = 0;

const within = (...states) => items.filter((item) => states.includes(item.state));
export const isBusy = () => within('uploading', 'queued', 'waiting').length > 0;
export const whenStored = (run) => { onStored = run; };

export function enqueue(wanted) {
  for (const { file, folder, conflict } of wanted) {
    const item = { file, folder, conflict, endpoint: endpoint(), state: 'queued', sent: 0, speed: 0 };
    items.push(item);
    tray.add(item);
  }
  next();
}

function next() {
  while (navigator.onLine && within('uploading').length < PARALLEL) {
    const item = items.find((candidate) => candidate.state === 'queued');
    if (!item) break;
    set(item, 'uploading');
    send(item, { changed: progress, done, failed });
  }
  tray.summarise(items);
}

function progress(item) {
  if (performance.now() - drawn < SHOW_MS && item.sent < item.file.size) return;
  drawn = performance.now();
  tray.show(item);
  tray.summarise(items);
}

function set(item, state) {
  item.state = state;
  tray.show(item);
}

function done(item) {
  set(item, 'done');
  next();
  onStored(item, !isBusy());
}

function failed(item) {
  if (item.state !== 'uploading') return; // paused or cancelled meanwhile
  set(item, navigator.onLine ? 'failed' : 'waiting');
  next();
  if (!isBusy()) onStored(null, true); // what did get in is shown even so
}

function stop(item, state) {
  if (item.state === 'uploading') item.upload?.abort();
  set(item, state);
}

function pause(item) {
  stop(item, 'paused');
  next();
}

function resume(item) {
  set(item, 'queued');
  next();
}

function cancel(item) {
  const before = item.state;
  item.state = 'cancelled';
  items.splice(items.indexOf(item), 1);
  tray.remove(item);
  next();
  if (before !== 'done') item.upload?.abort(true).catch(() => {}); // else the server forgets it after a day
}

function pauseAll() {
  for (const item of within('uploading', 'queued', 'waiting')) stop(item, 'paused');
  tray.summarise(items);
}

function resumeAll() {
  for (const item of within('paused', 'failed')) set(item, 'queued');
  next();
}

function cancelAll() {
  for (const item of within('uploading', 'queued', 'waiting', 'paused', 'failed')) cancel(item);
}

function close() {
  for (const item of [...items]) cancel(item);
}

// Without a connection nothing is tried in vain; when it is back, all go on by themselves.
addEventListener('offline', () => {
  for (const item of within('uploading')) stop(item, 'waiting');
  tray.summarise(items);
});
addEventListener('online', () => {
  for (const item of within('waiting')) set(item, 'queued');
  next();
});
addEventListener('beforeunload', (event) => {
  if (isBusy()) event.preventDefault();
});
