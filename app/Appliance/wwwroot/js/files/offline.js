// Says so where the connection is gone, on every files page.
import { onPage } from './page.js';

const show = () => {
  for (const place of document.querySelectorAll('[data-offline]')) place.hidden = navigator.onLine;
};
onPage(show);
addEventListener('online', show);
addEventListener('offline', show);
