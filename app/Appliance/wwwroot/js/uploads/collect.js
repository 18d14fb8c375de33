// What somebody chose or dropped: { file, way } for each file, way being the folders it lies in ([] at the top), and the folders themselves,
// so that empty ones come along. Dropped folders are walked with webkitGetAsEntry, chosen ones come with webkitRelativePath.
const collator = (a, b) => a.join('/').localeCompare(b.join('/'));

export function fromInput(files) {
  const items = [...files].map((file) => ({ file, way: file.webkitRelativePath ? file.webkitRelativePath.split('/').slice(0, -1) : [] }));
  return { items, folders: foldersOf(items.map((item) => item.way)) };
}

export async function fromDrop(transfer) {
  // Taken at once: the list is empty after the event.
  const entries = [...transfer.items].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  const found = { items: [], ways: [] };
  for (const entry of entries) await walk(entry, [], found);
  return { items: found.items, folders: foldersOf(found.ways) };
}

async function walk(entry, way, found) {
  if (entry instanceof File) {
    found.items.push({ file: entry, way });
  } else if (entry.isFile) {
    const file = await new Promise((resolve) => { entry.file(resolve, () => resolve(null)); });
    if (file) found.items.push({ file, way });
  } else {
    const here = [...way, entry.name];
    found.ways.push(here);
    const reader = entry.createReader();
    for (;;) {
      // It answers a hundred at a time, and none at the end.
      const some = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
      if (some.length === 0) return;
      for (const child of some) await walk(child, here, found);
    }
  }
}

// Every folder on these ways, the outer ones first.
function foldersOf(ways) {
  const all = new Map();
  for (const way of ways) {
    for (let depth = 1; depth <= way.length; depth += 1) all.set(way.slice(0, depth).join('/'), way.slice(0, depth));
  }
  return [...all.values()].sort((a, b) => a.length - b.length || collator(a, b));
}
