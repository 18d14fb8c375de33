// Every page about files loads this one module.
import './list.js';
import './select.js';
import './keys.js';
import './commands.js';
import './row-menu.js';
import './drag.js';
import './panel.js';
import './refresh.js';
import './tiles.js';
import './viewer.js';
import './versions.js';
import './confirm.js';
import './offline.js';
import '../uploads/app.js';
