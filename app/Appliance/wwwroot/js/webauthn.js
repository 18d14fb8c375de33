// <form class="key-prompt" data-webauthn="get|create" data-options="{…}" data-state="ready" method="post">   (see _KeyPrompt.cshtml)
// Asks the security key, writes its answer as JSON into [data-webauthn-answer] and sends the form. With data-start="true" it asks at
// once, as soon as somebody sees the page. [data-key-cancel] stops waiting; [data-key-error] says in plain words what went wrong.
const PROMPTS = 'form[data-webauthn]';

const decode = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const listed = (keys) => keys?.map((key) => ({ ...key, id: decode(key.id) }));

function parse(kind, json) {
  const native = kind === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON';
  if (typeof PublicKeyCredential[native] === 'function') return PublicKeyCredential[native](json);
  const options = { ...json, challenge: decode(json.challenge) };
  if (kind === 'get') return { ...options, allowCredentials: listed(json.allowCredentials) };
  return { ...options, user: { ...json.user, id: decode(json.user.id) }, excludeCredentials: listed(json.excludeCredentials) };
}

function serialize(credential) {
  try {
    return JSON.stringify(credential.toJSON());
  } catch {
    // Older browsers have no toJSON, and some extensions bring credentials whose toJSON fails.
  }
  const { response } = credential;
  const json = { clientDataJSON: encode(response.clientDataJSON) };
  if (response.attestationObject) {
    json.attestationObject = encode(response.attestationObject);
    json.transports = response.getTransports?.() ?? [];
  } else {
    json.authenticatorData = encode(response.authenticatorData);
    json.signature = encode(response.signature);
    json.userHandle = response.userHandle ? encode(response.userHandle) : null;
  }
  const id = encode(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: credential.type, clientExtensionResults: {}, response: json });
}

function explain(error, kind) {
  switch (error.name) {
    case 'NotAllowedError':
      return kind === 'create'
        ? 'No key answered, or it was cancelled. Nothing was changed. Please try again.'
        : 'No key answered, or it was cancelled, or it is not one of yours. Please try again.';
    case 'InvalidStateError':
      return 'This key is one of yours already. Use another one.';
    case 'SecurityError':
      return 'The browser refuses security keys at this address. Open the appliance at the address your administrator gave you.';
    case 'NotSupportedError':
    case 'ConstraintError':
      return 'This key cannot do what is needed here. Use another one.';
    case 'AbortError':
      return 'Cancelled. Nothing was changed.';
    default:
      return 'The key could not be used. Nothing was changed. Please try again.';
  }
}

function enhance(form) {
  const kind = form.dataset.webauthn;
  const answer = form.querySelector('[data-webauthn-answer]');
  const button = form.querySelector('[data-key-start]');
  const error = form.querySelector('[data-key-error]');
  let waiting = null;

  function show(state) {
    form.dataset.state = state;
    button.disabled = state === 'waiting' || state === 'done';
    form.setAttribute('aria-busy', String(button.disabled));
  }

  function fail(text) {
    error.textContent = text;
    show('failed');
  }

  async function ask() {
    if (waiting) return;
    if (!window.PublicKeyCredential || !navigator.credentials) {
      fail('This browser cannot use security keys. Use a current one, over https.');
      return;
    }
    waiting = new AbortController();
    show('waiting');
    try {
      const publicKey = parse(kind, JSON.parse(form.dataset.options));
      answer.value = serialize(await navigator.credentials[kind]({ publicKey, signal: waiting.signal }));
      show('done');
      form.submit();
    } catch (problem) {
      fail(explain(problem, kind));
    } finally {
      waiting = null;
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  form.querySelector('[data-key-cancel]')?.addEventListener('click', () => waiting?.abort());
  // Back to a page that was sent already: its question is used up, and only the server has a new one.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) window.location.reload();
  });
  show(form.dataset.state);

  if (form.dataset.start !== 'true') return;
  if (document.visibilityState === 'visible') ask();
  else document.addEventListener('visibilitychange', ask, { once: true });
}

for (const form of document.querySelectorAll(PROMPTS)) enhance(form);
