// Forms that ask before what cannot be taken back; they work without script. <form data-confirm="title|text|verb">
import { confirmed } from './dom.js';

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  const [title, text, verb] = form.dataset.confirm.split('|'); // no name holds a "|"
  if (!(await confirmed(title, text, verb))) return;
  form.dataset.confirmed = 'yes';
  form.requestSubmit();
});
