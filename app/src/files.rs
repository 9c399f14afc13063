//! The files that a page loads, by the names under which they are served.

#[cfg(feature = "ssr")]
use leptos::{nonce::use_nonce, prelude::*};

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

/// Brings the page to life. Leptos's own `HydrationScripts` looks for the names
/// beside the executable, in every request, and panics where they are not.
#[cfg(feature = "ssr")]
#[component]
pub(crate) fn Scripts(
    /// What to load.
    files: PageFiles,
) -> impl IntoView {
    let PageFiles { js, wasm, .. } = files;
    // Browsers ask for what is preloaded here before they have read the script that
    // needs it, and with the same credentials: or they would ask twice.
    let start = format!(
        "import({js:?}).then((page) => \
         page.default({{ module_or_path: {wasm:?} }}).then(() => page.hydrate()));"
    );
    view! {
        <link rel="modulepreload" href=js />
        <link rel="modulepreload" href=SOCKET_CLIENT />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
        <script type="module" nonce=use_nonce()>
            {start}
        </script>
    }
}
