// The page that leads to an identity provider by a form: sends it at once. Without script there is its button.
document.querySelector('form[data-sso]').submit();
