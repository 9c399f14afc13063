// Puts the official Socket.IO client where the server serves it from. The copy
// is made by scripts/setup and ignored by git, so that package-lock.json
// alone decides its version.
import { copyFileSync, mkdirSync } from "node:fs";

const from = new URL("../node_modules/socket.io-client/dist/socket.io.esm.min.js", import.meta.url);
const to = new URL("../public/vendor/", import.meta.url);

mkdirSync(to, { recursive: true });
copyFileSync(from, new URL("socket.io.esm.min.js", to));
