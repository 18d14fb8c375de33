// The theme: the system's unless this browser was told otherwise. Loaded in <head> with async blocking="render", so that no page flashes.
// Markup: <fieldset data-theme-switch hidden> with radio buttons of value system, light, dark. Stays hidden without script.
const KEY = 'theme';

function stored() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    return 'system'; // storage is switched off
  }
}

function apply(theme) {
  const root = document.documentElement;
  if (theme === 'system') root.removeAttribute('data-theme');
  else root.dataset.theme = theme;
}

function remember(theme) {
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // it holds for this page only
  }
}

function showChoice() {
  for (const radio of document.querySelectorAll('[data-theme-switch] input')) radio.checked = radio.value === stored();
}

function bind() {
  for (const group of document.querySelectorAll('[data-theme-switch]')) {
    group.hidden = false;
    group.addEventListener('change', (event) => {
      remember(event.target.value);
      apply(event.target.value);
      showChoice();
    });
  }
  showChoice();
}

apply(stored());
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', bind);
else bind();

// another tab changed it
addEventListener('storage', (event) => {
  if (event.key !== KEY) return;
  apply(stored());
  showChoice();
});
