// One file on its way: tus 1.0, resumable across a lost connection, a closed browser and a restarted server.
import { csrf, team } from '../files/page.js';
import { fingerprint, rememberedUploads } from './memory.js';
import { sentence } from './errors.js';

const RETRY_MS = [0, 1000, 3000, 5000, 10000, 20000, 30000, 60000];
const SMALL = 1 << 20;
const SPEED_WINDOW_MS = 5000;

export const endpoint = () => `/api/v1/teams/${team()}/uploads`;

// Begins it, or goes on with it. changed(item) after every progress; done(item) or failed(item) once at the end.
export async function send(item, { changed, done, failed }) {
  item.marks = [];
  item.speed = 0;
  item.upload ??= new globalThis.tus.Upload(item.file, {
    endpoint: item.endpoint,
    metadata: { filename: item.file.name, conflict: item.conflict, ...(item.folder ? { folder: item.folder } : {}) },
    headers: { RequestVerificationToken: csrf() },
    retryDelays: RETRY_MS,
    uploadDataDuringCreation: item.file.size <= SMALL, // one request instead of two
    removeFingerprintOnSuccess: true,
    urlStorage: rememberedUploads,
    fingerprint: (file) => fingerprint(file, item.endpoint, item.folder ?? ''),
    onShouldRetry: (error, attempt) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      return status === 0 || (status === 409 && attempt < 2) || status === 423 || status === 429 || status === 460 || (status >= 500 && status !== 507);
    },
    onProgress: (sent) => {
      item.sent = sent;
      measure(item);
      changed(item);
    },
    onSuccess: () => {
      item.sent = item.file.size;
      done(item);
    },
    onError: (error) => {
      item.error = sentence(error, item.sent);
      failed(item);
    },
  });
  try {
    if (!item.upload.url) {
      const [earlier] = await item.upload.findPreviousUploads();
      if (earlier) {
        item.upload.resumeFromPreviousUpload(earlier);
        item.resumed = true;
      }
    }
  } catch {
    // Storage is switched off: it starts from the beginning.
  }
  if (item.state === 'uploading') item.upload.start();
}

function measure(item) {
  const now = performance.now();
  item.marks.push({ at: now, sent: item.sent });
  while (item.marks.length > 2 && now - item.marks[0].at > SPEED_WINDOW_MS) item.marks.shift();
  const first = item.marks[0];
  item.speed = now > first.at ? Math.max(0, (item.sent - first.sent) * 1000 / (now - first.at)) : 0;
}
