// Where unfinished uploads stand, for after the browser was closed: what tus-js-client calls its URL storage. Only the upload's address and the
// folder's reference are kept, under a hash of the file's name, size and date: localStorage outlives the session, and nobody else should read names there.
const PREFIX = 'upload:';
const KEPT_MS = 24 * 3600 * 1000; // the server forgets them after a day, too

export async function fingerprint(file, endpoint, folder) {
  const text = JSON.stringify([endpoint, folder, file.name, file.size, file.lastModified]);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const rememberedUploads = {
  async findAllUploads() {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map(read).filter(Boolean);
  },
  async findUploadsByFingerprint(wanted) {
    const found = read(PREFIX + wanted);
    return found ? [found] : [];
  },
  async addUpload(wanted, upload) {
    forgetOld();
    localStorage.setItem(PREFIX + wanted, JSON.stringify({ uploadUrl: upload.uploadUrl, folder: upload.metadata?.folder ?? '', at: Date.now() }));
    return PREFIX + wanted;
  },
  async removeUpload(key) {
    localStorage.removeItem(key);
  },
};

// How many uploads into a folder ("" for the root) of a team were begun in this browser and not finished.
export async function unfinished(endpoint, folder) {
  return (await rememberedUploads.findAllUploads()).filter(({ uploadUrl, metadata }) => uploadUrl.includes(endpoint) && metadata.folder === folder).length;
}

export function forget(endpoint, folder) {
  for (const key of Object.keys(localStorage)) {
    const found = key.startsWith(PREFIX) ? read(key) : null;
    if (found && found.uploadUrl.includes(endpoint) && found.metadata.folder === folder) localStorage.removeItem(key);
  }
}

function read(key) {
  try {
    const { uploadUrl, folder, at } = JSON.parse(localStorage.getItem(key));
    return typeof uploadUrl === 'string' && Date.now() - at < KEPT_MS
      ? { uploadUrl, urlStorageKey: key, size: null, metadata: { folder }, creationTime: new Date(at).toString() }
      : null;
  } catch {
    return null;
  }
}

function forgetOld() {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(PREFIX) && !read(key)) localStorage.removeItem(key);
  }
}
