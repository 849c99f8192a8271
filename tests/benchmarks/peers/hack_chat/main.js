// hack.chat's server as its package is used: its own delivery, with the two commands it needs here.

import { CoreApp } from "hackchat-server";

new CoreApp({ configPath: ".hcserver.json", logErrDetailed: true, lang: "en" }).init();
