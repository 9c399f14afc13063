//! Rows glide to their new places (FLIP: First, Last, Invert, Play; Paul Lewis,
//! 2015): where each row is seen is measured before the document changes, and
//! each is then moved from there to where it is now.

use std::collections::HashMap;

use leptos::prelude::{document, request_animation_frame, window};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::Element;

#[wasm_bindgen]
extern "C" {
    /// An element as the Web Animations API sees it; web-sys calls that unstable.
    type Animated;

    #[wasm_bindgen(method)]
    fn animate(this: &Animated, keyframes: &js_sys::Array, options: &js_sys::Object);
}

/// How long a row is on its way, in milliseconds.
const GLIDE: f64 = 450.0;
/// How long a changed score stays lit, in milliseconds.
const GLOW: f64 = 900.0;

/// Where rows were seen, and what they said, before a change.
pub(crate) struct Before {
    list: Element,
    rows: HashMap<String, Seen>,
}

struct Seen {
    top: f64,
    score: String,
}

/// Looks at the rows of a list. Rows that are on their way are seen where they
/// are, so a second change moves them on from there. `None` where nobody looks:
/// a hidden page draws no frames, so what waits for one would pile up.
pub(crate) fn look(list: &Element) -> Option<Before> {
    if document().hidden() {
        return None;
    }
    let rows = rows(list)
        .map(|(id, row)| {
            let seen = Seen {
                top: row.get_bounding_client_rect().top(),
                score: score(&row),
            };
            (id, seen)
        })
        .collect();
    Some(Before {
        list: list.clone(),
        rows,
    })
}

impl Before {
    /// Moves the rows, when the document has changed.
    pub(crate) fn play(self) {
        request_animation_frame(move || {
            let still = prefers_no_motion();
            for (id, row) in rows(&self.list) {
                match self.rows.get(&id) {
                    Some(seen) => {
                        let distance = seen.top - row.get_bounding_client_rect().top();
                        if distance.abs() > 0.5 && !still {
                            glide(&row, distance);
                        }
                        if score(&row) != seen.score {
                            glow(&row, distance);
                        }
                    }
                    None => appear(&row),
                }
            }
        });
    }
}

fn rows(list: &Element) -> impl Iterator<Item = (String, Element)> {
    let children = list.children();
    (0..children.length()).filter_map(move |i| {
        let row = children.item(i)?;
        Some((row.get_attribute("data-user-id")?, row))
    })
}

fn score(row: &Element) -> String {
    let score = row.query_selector("[data-field=score]").ok().flatten();
    score
        .and_then(|score| score.text_content())
        .unwrap_or_default()
}

fn glide(row: &Element, distance: f64) {
    // Who climbs passes in front of who falls.
    let layer = if distance > 0.0 { "2" } else { "1" };
    let from = keyframe(&[
        (
            "transform",
            &format!("translateY({}px)", distance.round() as i32),
        ),
        ("zIndex", layer),
    ]);
    let to = keyframe(&[("transform", "none"), ("zIndex", layer)]);
    animate(row, &[from, to], GLIDE);
}

fn glow(row: &Element, distance: f64) {
    let lit = if distance < -0.5 {
        "var(--glow-down)"
    } else {
        "var(--glow-up)"
    };
    animate(
        row,
        &[keyframe(&[("backgroundColor", lit)]), keyframe(&[])],
        GLOW,
    );
}

fn appear(row: &Element) {
    animate(
        row,
        &[keyframe(&[("opacity", "0")]), keyframe(&[("opacity", "1")])],
        GLIDE,
    );
}

fn keyframe(properties: &[(&str, &str)]) -> js_sys::Object {
    let frame = js_sys::Object::new();
    for (name, value) in properties {
        set(&frame, name, &JsValue::from_str(value));
    }
    frame
}

fn animate(row: &Element, keyframes: &[js_sys::Object], milliseconds: f64) {
    let options = js_sys::Object::new();
    set(&options, "duration", &JsValue::from_f64(milliseconds));
    set(
        &options,
        "easing",
        &JsValue::from_str("cubic-bezier(0.2, 0.8, 0.2, 1)"),
    );
    let keyframes = keyframes.iter().collect();
    row.unchecked_ref::<Animated>()
        .animate(&keyframes, &options);
}

fn set(object: &js_sys::Object, name: &str, value: &JsValue) {
    // Setting a field of a plain object cannot fail.
    _ = js_sys::Reflect::set(object, &JsValue::from_str(name), value);
}

fn prefers_no_motion() -> bool {
    let query = window().match_media("(prefers-reduced-motion: reduce)");
    query.ok().flatten().is_some_and(|query| query.matches())
}
