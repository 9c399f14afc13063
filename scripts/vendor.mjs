// Puts the official Socket.IO client where the server serves it from. The copy
// is made by scripts/setup and ignored by git, so that package-lock.json
// alone decides its version. The version is in its name, because browsers keep
// what they have by that name.
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";

const packaged = new URL("../node_modules/socket.io-client/", import.meta.url);
const vendored = new URL("../public/vendor/", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", packaged)));
const name = `socket.io-${version}.esm.min.js`;

// Both must be written out: one is read by a macro, the other by people.
for (const source of ["app/src/files.rs", "app/src/client/socket_io.rs"]) {
  if (!readFileSync(new URL(`../${source}`, import.meta.url), "utf8").includes(`/vendor/${name}"`)) {
    throw new Error(`${source} loads another version of the Socket.IO client: write /vendor/${name}`);
  }
}

// Nothing stays of other versions.
rmSync(vendored, { recursive: true, force: true });
mkdirSync(vendored, { recursive: true });
copyFileSync(new URL("dist/socket.io.esm.min.js", packaged), new URL(name, vendored));
