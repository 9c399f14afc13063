//! How the page starts: the script that hydrates it, and what happens where the script does
//! not run, or fails.

use std::sync::LazyLock;

use leptos::{html, nonce::use_nonce, prelude::*, tachys::html::InertElement};

use super::document::Turn;
use crate::{
    base_path,
    files::{PageFiles, SOCKET_CLIENT},
    texts::{Locale, Text},
    wire::View,
};

/// Between two requests of a page that is not hydrated, in seconds: a thousand pages make 33
/// requests a second.
const REFRESH: &str = "30";

/// The script, without what only we read. It stands in the page itself, so that nothing
/// that can be blocked or lost on the way watches over what can.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("boot.js").lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
    lines.join("\n")
});

/// The styles of a page without scripts. While it refreshes itself, typed text would be
/// lost, so the search has a page of its own.
const STYLES: &str = ".needs-scripts{display:none!important}.not-live{display:flex!important}";
const STYLES_REFRESHING: &str =
    ".search{display:none}.without-scripts{display:inline-flex!important}";

/// Hydrates a page, or requests a page that is unavailable again.
///
/// What follows the script is for where it is blocked, whatever blocks it, or too new for
/// the browser. `<noscript>` is not enough: a browser that is forbidden by a policy to run any
/// script, or not this one, has scripting on all the same. So the script, when it runs,
/// takes it for itself.
#[component]
pub(super) fn Boot(
    /// The files that hydrate it; none for a page that is unavailable.
    files: Option<PageFiles>,
    /// Is the page refreshed where it is not hydrated?
    refreshes: bool,
    /// What a kiosk shows next.
    turn: Option<Turn>,
) -> impl IntoView {
    let files = files.map(|files| [&files.js, &files.wasm].map(|file| base_path::link(file)));
    let [js, wasm] = files.clone().map_or([None, None], |files| files.map(Some));
    let script = html::script()
        .attr("nonce", use_nonce())
        .attr("data-js", js)
        .attr("data-wasm", wasm)
        .attr("data-refresh", refreshes.then_some(REFRESH))
        .attr("data-next", turn.as_ref().map(|turn| turn.to.clone()))
        .attr("data-every", turn.as_ref().map(|turn| turn.seconds))
        .inner_html(BOOT.as_str());
    // A page that turns needs no other refreshing: of several, browsers follow the first.
    let refresh = match turn {
        Some(Turn { to, seconds }) => Some(format!("{seconds};url={to}")),
        None => refreshes.then(|| REFRESH.to_owned()),
    };
    let refresh = refresh.map(|content| {
        view! { <meta http-equiv="refresh" content=content /> }
    });
    let more = if refreshes { STYLES_REFRESHING } else { "" };
    let styles = InertElement::new(format!("<style>{STYLES}{more}</style>"));
    // Browsers request these files before the script does. The credentials must be the same,
    // or they would request them twice.
    let preloaded = files.map(|[js, wasm]| {
        view! {
            <link rel="modulepreload" href=js />
            <link rel="modulepreload" href=base_path::link(SOCKET_CLIENT) />
            <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
        }
    });
    view! {
        {script}
        {refresh}
        {styles}
        {preloaded}
    }
}

/// A warning that the page is not live.
#[component]
pub(super) fn NotLive(
    /// How it is written.
    locale: Locale,
    /// How the page is viewed.
    view: View,
    /// The part of its address that selects what is shown, as a query.
    query: String,
    /// Is it refreshed?
    refreshes: bool,
) -> impl IntoView {
    let seconds = [("n", REFRESH)];
    let (text, link, value) = if refreshes {
        (Text::NotLiveRefreshed, Text::StopRefreshing, "off")
    } else {
        (Text::NotLiveNorRefreshed, Text::KeepRefreshing, "on")
    };
    let view = match view {
        View::Whole => Some(""),
        // A kiosk has no controls.
        View::Kiosk => None,
        View::Embed => Some("view=embed&"),
    };
    view! {
        <div class="notice not-live" data-severity="warning">
            <p role="status">{locale.with(text, &seconds)}</p>
            <time class="notranslate" translate="no"></time>
            {view
                .map(|view| {
                    view! {
                        <a class="control" href=format!("?{query}{view}refresh={value}")>
                            {locale.with(link, &seconds)}
                        </a>
                    }
                })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(files: Option<PageFiles>, refreshes: bool) -> String {
        Owner::new().with(|| view! { <Boot files refreshes turn=None /> }.to_html())
    }

    #[test]
    fn a_kiosk_turns_with_scripts_and_without() {
        let turn = Some(Turn {
            to: "/b/weekly?view=kiosk".into(),
            seconds: 20,
        });
        let html =
            Owner::new().with(|| view! { <Boot files=None refreshes=true turn /> }.to_html());
        assert!(html.contains(r#"data-next="/b/weekly?view=kiosk" data-every="20""#));
        assert!(html.contains(r#"content="20;url=/b/weekly?view=kiosk""#));
        assert_eq!(html.matches("http-equiv").count(), 1);
    }

    #[test]
    fn what_is_for_pages_without_scripts_is_one_run_that_the_script_takes_for_itself() {
        let html = boot(None, true);
        let (script, rest) = html.split_once("</script>").unwrap_or_default();
        assert!(script.contains(r#"document.write('<style media="not all">')"#));
        assert!(!script.contains("data-js") && script.contains(r#"data-refresh="30""#));
        assert!(!script.contains("//"), "what only we read is not sent");
        // The first end of a style is the end of all of it.
        assert!(rest.starts_with(r#"<meta http-equiv="refresh" content="30"><style>"#));
        assert_eq!(rest.matches("</style>").count(), 1);
    }

    #[test]
    fn a_page_that_is_not_to_be_refreshed_is_not() {
        let files = PageFiles {
            css: "/pkg/a.css".into(),
            js: "/pkg/a.js".into(),
            wasm: "/pkg/a.wasm".into(),
        };
        let html = boot(Some(files), false);
        assert!(!html.contains("http-equiv") && !html.contains("data-refresh"));
        assert!(html.contains(r#"data-js="/pkg/a.js" data-wasm="/pkg/a.wasm""#));
    }
}
