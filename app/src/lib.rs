//! The Podium page: rendered by the server, brought to life in the browser.
//!
//! Data goes one way: the socket hands events to the state, the state sets
//! signals, components show signals. No component knows a socket.

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` is for the server and `hydrate` for the browser: build with one of them");

mod banners;
mod components;
mod delta;
pub mod files;
mod format;
#[cfg(feature = "hydrate")]
mod motion;
pub mod pictures;
pub mod sharing;
#[cfg(feature = "hydrate")]
mod socket;
mod state;
pub mod wire;

use leptos::{html, prelude::*};

use components::App;
use files::{PageFiles, Scripts};
pub use format::grouped;
use sharing::{Sharing, SharingTags};

/// How often a page without scripts asks for the newest board, in seconds.
const REFRESH_WITHOUT_SCRIPTS: &str = "10";

/// The ground of the page in the light and in the dark, as `style/podium.css` has it,
/// for what a browser or a system paints around it.
pub const THEME_LIGHT: &str = "#f4f2ee";
/// See [`THEME_LIGHT`].
pub const THEME_DARK: &str = "#0f0e15";

/// The document around the page, for the server alone.
///
/// The [`wire::PageSnapshot`] to show must be in the context, the [`PageFiles`]
/// and the [`Sharing`].
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let files = expect_context::<PageFiles>();
    let sharing = expect_context::<Sharing>();
    let title = use_context::<wire::PageSnapshot>().map(|snapshot| snapshot.title);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>{title}</title>
                <SharingTags sharing />
                {theme_color("light", THEME_LIGHT)}
                {theme_color("dark", THEME_DARK)}
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/apple-touch-icon.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <link rel="stylesheet" href=files.css.clone() />
                <noscript>
                    <meta http-equiv="refresh" content=REFRESH_WITHOUT_SCRIPTS />
                    <style>".needs-scripts { display: none }"</style>
                </noscript>
                <AutoReload options />
                <Scripts files />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

fn theme_color(scheme: &str, colour: &'static str) -> impl IntoView + use<> {
    html::meta()
        .attr("name", "theme-color")
        .attr("content", colour)
        .attr("media", format!("(prefers-color-scheme: {scheme})"))
}

/// Brings the page that the server rendered to life; called by its script.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
}
