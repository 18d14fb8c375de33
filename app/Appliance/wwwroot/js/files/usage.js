// What the team stores and may store, at the foot of the navigation; brought up to date after uploads.
import { api } from './api.js';
import { size } from '../uploads/text.js';

const ALMOST = 0.9;

export async function showUsage() {
  const place = document.querySelector('[data-usage]');
  if (!place) return;
  const { usage } = await api('GET', '');
  const share = Math.max(usage.maxBytes ? usage.bytes / usage.maxBytes : 0, usage.maxFiles ? usage.files / usage.maxFiles : 0);
  const meter = place.querySelector('meter');
  if (meter) meter.value = share;
  place.classList.toggle('usage-almost', share >= ALMOST);
  const files = `${usage.files.toLocaleString('en')}${usage.maxFiles === null ? '' : ` of ${usage.maxFiles.toLocaleString('en')}`} ${usage.files === 1 && usage.maxFiles === null ? 'file' : 'files'}`;
  place.querySelector('[data-usage-text]').textContent = `${size(usage.bytes)}${usage.maxBytes === null ? '' : ` of ${size(usage.maxBytes)}`} · ${files}`;
}
