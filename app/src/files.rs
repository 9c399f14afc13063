//! The files that a page loads, by the names under which they are served.

/// Where the official Socket.IO client is served. The name carries its version;
/// `scripts/vendor.mjs` checks that it is the one that is installed.
pub const SOCKET_CLIENT: &str = "/vendor/socket.io-4.8.4.esm.min.js";

/// Where the files are that are built from this crate. The server knows, because
/// their names carry a hash of what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFiles {
    /// The styles.
    pub css: String,
    /// The script that loads `wasm`.
    pub js: String,
    /// This crate, for the browser.
    pub wasm: String,
}
