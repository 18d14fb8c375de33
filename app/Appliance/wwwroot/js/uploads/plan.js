// Before a byte is sent: is there room, which names are taken, which folders must be made. Answers the items that are to be sent, each with the
// folder it goes to and what happens where its name is taken (conflict); or null when somebody thought better of it.
import { api } from '../files/api.js';
import { key } from '../files/names.js';
import { askConflicts } from './conflicts.js';
import { size } from './text.js';

const NAMES = 1000; // in one question

export async function plan({ items, folders }, target, made) {
  await requireRoom(items);
  const places = new Map([['', { reference: target, exists: true }]]);
  const taken = await findTaken(items, folders, places);
  const choices = taken.length > 0 ? await askConflicts(taken) : new Map();
  if (!choices) return null;
  const wanted = items.filter((item) => choices.get(item) !== 'skip');
  for (const way of folders) {
    const place = places.get(way.join('/'));
    if (place?.reference !== undefined) continue;
    const entry = await api('POST', '/folders', { name: way.at(-1), folder: places.get(way.slice(0, -1).join('/')).reference, existing: 'use' });
    places.set(way.join('/'), { reference: entry.reference, exists: true });
    if (way.length === 1) made(entry);
  }
  return wanted.map((item) => ({ file: item.file, folder: places.get(item.way.join('/')).reference, conflict: choices.get(item) ?? 'version' }));
}

// The appliance refuses what does not fit; here it is said for all of them at once, before anything is sent.
async function requireRoom(items) {
  const { usage } = await api('GET', '');
  const bytes = items.reduce((sum, item) => sum + item.file.size, 0);
  const which = items.length === 1 ? `“${items[0].file.name}” (${size(bytes)})` : `These ${items.length} files (${size(bytes)})`;
  if (usage.maxBytes !== null && bytes > usage.maxBytes - usage.bytes) {
    throw new Error(`${which} would not fit: the team has ${size(Math.max(0, usage.maxBytes - usage.bytes))} of ${size(usage.maxBytes)} left. Nothing was sent. Delete something from the trash for good, or ask your operator for more.`);
  }
  if (usage.maxFiles !== null && items.length > usage.maxFiles - usage.files) {
    throw new Error(`${which} would be too many: the team may have ${usage.maxFiles.toLocaleString('en')} files and has ${usage.files.toLocaleString('en')}. Nothing was sent. Delete something from the trash for good, or ask your operator for more.`);
  }
}

// Folder by folder, from the outside inwards; in a folder that is not there yet no name is taken.
async function findTaken(items, folders, places) {
  const taken = [];
  for (const way of [[], ...folders]) {
    const place = places.get(way.join('/'));
    if (!place?.exists) continue;
    const inside = folders.filter((other) => other.length === way.length + 1 && way.every((name, at) => other[at] === name));
    const here = items.filter((item) => item.way.join('/') === way.join('/'));
    const there = await lookUp(place.reference, [...inside.map((other) => other.at(-1)), ...here.map((item) => item.file.name)]);
    for (const other of inside) {
      const found = there.get(key(other.at(-1).normalize()));
      if (found?.kind === 'folder') places.set(other.join('/'), { reference: found.reference, exists: true });
    }
    for (const item of here) {
      const found = there.get(key(item.file.name.normalize()));
      if (found) taken.push({ item, found });
    }
  }
  return taken;
}

async function lookUp(folder, names) {
  const found = new Map();
  for (let at = 0; at < names.length; at += NAMES) {
    const { entries } = await api('POST', '/entries/lookup', { folder, names: names.slice(at, at + NAMES) });
    for (const entry of entries) found.set(key(entry.name), entry);
  }
  return found;
}
