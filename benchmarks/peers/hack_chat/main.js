// hack.chat's server with its own delivery and the two commands of the benchmark.

import { CoreApp } from "hackchat-server";

new CoreApp({ configPath: ".hcserver.json", logErrDetailed: true, lang: "en" }).init();
