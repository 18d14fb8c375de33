// <time datetime="2026-11-21T20:54:33Z">: shows how long ago, keeps the exact local time in the title. data-exact keeps the text itself exact.
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const RELATIVE = new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, { numeric: 'auto' });
const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60]];
const OLD_S = 30 * 86400; // after a month the date says more than "5 weeks ago"
const REFRESH_MS = 30000;

export function relative(date, now = new Date()) {
  const seconds = (date - now) / 1000;
  if (Math.abs(seconds) >= OLD_S) return DATE.format(date);
  const [unit, size] = UNITS.find(([, unitSize]) => Math.abs(seconds) >= unitSize) ?? [];
  return unit ? RELATIVE.format(Math.trunc(seconds / size), unit) : 'just now';
}

export function refresh(root = document) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    if (root === document && element.title !== '' && !element.checkVisibility({ contentVisibilityAuto: true })) continue; // thousands of rows out of sight
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    const text = 'exact' in element.dataset ? SHORT.format(date) : relative(date);
    if (element.textContent !== text) element.textContent = text;
    element.title = EXACT.format(date);
  }
}

refresh();
setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
