// The password policy, answered by the server as it is typed. It helps only: the server checks again when the form is sent.
//
// <div data-password data-check-url="…" data-suggest-url="…">
//   <input type="password">                     the field; [data-password-with="email"] anywhere in the form is sent along under that name
//   <button data-password-reveal hidden>        Show / Hide
//   <button data-password-suggest hidden>       offers a passphrase in [data-password-suggestion]; [data-password-use] takes it
//   <meter max="100"> <span data-password-bits> estimated strength in bits
//   <ul data-password-reasons><li data-id="…">  one item for each reason; unknown ids are appended
//   <p role="status" data-password-summary>     for screen readers, after a pause
// </div>
// check: POST form-encoded, header RequestVerificationToken → {ok, reasons: [{id, ok, text}], bits} · suggest: GET → {passphrase}
const PAUSE_MS = 250;

for (const root of document.querySelectorAll('[data-password]')) enhance(root);

function enhance(root) {
  const find = (name) => root.querySelector(`[data-password-${name}]`);
  const field = root.querySelector('input');
  const meter = root.querySelector('meter');
  const reveal = find('reveal');
  const suggest = find('suggest');
  let timer;
  let request = new AbortController();

  function show(result) {
    for (const reason of result.reasons) mark(find('reasons'), reason);
    const bits = Math.round(result.bits);
    meter.value = Math.min(bits, meter.max);
    find('bits').textContent = field.value === '' ? '' : `${bits} bits`;
    const open = result.reasons.filter((reason) => !reason.ok).length;
    find('summary').textContent = result.ok ? 'The password meets every rule.' : `${open} rules are not met yet.`;
  }

  async function check() {
    request.abort();
    request = new AbortController();
    if (field.value === '') {
      reset();
      return;
    }
    const body = new URLSearchParams({ password: field.value });
    for (const other of field.form?.querySelectorAll('[data-password-with]') ?? []) body.set(other.dataset.passwordWith, other.value);
    try {
      const response = await fetch(root.dataset.checkUrl, {
        method: 'POST',
        body,
        headers: { RequestVerificationToken: document.querySelector('meta[name="csrf"]').content },
        signal: request.signal,
      });
      if (response.ok) show(await response.json());
      else reset();
    } catch (error) {
      if (error.name !== 'AbortError') reset(); // offline: the server still checks when the form is sent
    }
  }

  function reset() {
    for (const item of find('reasons').children) item.removeAttribute('data-ok');
    meter.value = 0;
    find('bits').textContent = '';
    find('summary').textContent = '';
  }

  function setVisible(visible) {
    field.type = visible ? 'text' : 'password';
    reveal.textContent = visible ? 'Hide' : 'Show';
  }

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE_MS);
  }

  field.addEventListener('input', schedule);
  for (const other of field.form?.querySelectorAll('[data-password-with]') ?? []) other.addEventListener('change', schedule);
  reveal.hidden = false;
  reveal.addEventListener('click', () => setVisible(field.type === 'password'));
  field.form?.addEventListener('submit', () => setVisible(false)); // so that the browser does not remember it as plain text
  if (suggest && root.dataset.suggestUrl) offer(root, suggest, (passphrase) => {
    field.value = passphrase;
    setVisible(true);
    field.focus();
    check();
  });
}

function mark(list, { id, ok, text }) {
  let item = [...list.children].find((child) => child.dataset.id === id);
  if (!item) {
    item = document.createElement('li');
    item.dataset.id = id;
    list.append(item);
  }
  item.dataset.ok = String(ok);
  const state = document.createElement('span');
  state.className = 'visually-hidden';
  state.textContent = ok ? ' – met' : ' – not met';
  item.replaceChildren(text, state);
}

function offer(root, button, take) {
  const box = root.querySelector('[data-password-suggestion]');
  button.hidden = false;
  button.addEventListener('click', async () => {
    button.setAttribute('aria-busy', 'true');
    try {
      const response = await fetch(root.dataset.suggestUrl, { headers: { Accept: 'application/json' } });
      if (!response.ok) return;
      box.querySelector('code').textContent = (await response.json()).passphrase;
      box.hidden = false;
    } catch {
      box.hidden = true; // offline: typing one's own still works
    } finally {
      button.removeAttribute('aria-busy');
    }
  });
  box.querySelector('[data-password-use]').addEventListener('click', () => {
    take(box.querySelector('code').textContent);
    box.hidden = true;
  });
}
