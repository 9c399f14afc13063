//! Rows glide to their new places (FLIP: First, Last, Invert, Play; Paul Lewis,
//! 2015): where each row is seen is measured before the document changes, and
//! each is then moved from there to where it is now. Scores count up to what they
//! are. All of it is spared those who want no motion, but for a brief light.
//!
//! What moves is only ever on its way to what is so: a browser that draws no frames, as
//! for a page that nobody sees, has nothing that waits for them but one look, and no
//! number that is on its way.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::prelude::{
    WithUntracked, document, request_animation_frame, set_interval_with_handle, set_timeout, window,
};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Element, ScrollBehavior, ScrollToOptions};

use crate::{clock, index::Index, state::PageState};

#[wasm_bindgen]
extern "C" {
    /// An element as the Web Animations API sees it; web-sys calls that unstable.
    type Animated;

    #[wasm_bindgen(method)]
    fn animate(this: &Animated, keyframes: &js_sys::Array, options: &js_sys::Object);
}

/// How long a row is on its way, in milliseconds.
const GLIDE: f64 = 450.0;
/// How long a score counts to what it is, in milliseconds.
const COUNT: f64 = 400.0;
/// The attribute that holds a row's score.
const POINTS: &str = "data-points";
/// How long a changed score stays lit, in milliseconds.
const GLOW: f64 = 900.0;
/// How long a page of a kiosk is looked at.
const KIOSK_PAGE: Duration = Duration::from_secs(10);

/// A change that is drawn so late is not shown as a motion, in milliseconds: nobody
/// remembers what was seen before it.
const LATE: f64 = 1_000.0;

/// What moves the rows of a list.
#[derive(Default)]
pub(crate) struct Motion {
    /// What was seen before the changes that were not drawn yet.
    before: RefCell<Option<Before>>,
    /// Is a frame asked for, and not drawn yet?
    awaits_frame: Cell<bool>,
}

/// Where rows were seen, and what they said, before a change.
struct Before {
    list: Element,
    seen_at: f64,
    rows: Vec<(String, Seen)>,
}

struct Seen {
    left: f64,
    top: f64,
    /// What stands there, perhaps on its way to what is so.
    score: String,
    /// What is so.
    points: String,
}

impl Motion {
    /// Looks at the rows of a list before they change. Rows that are on their way are seen
    /// where they are, so a second change moves them on from there; what was seen before
    /// a change that was not drawn yet stays what was seen.
    pub(crate) fn look(&self, list: &Element) {
        if document().hidden() {
            self.before.take();
        } else if !self.awaits_frame.get() {
            self.before.replace(Some(Before::of(list)));
        }
    }

    /// Moves the rows from where they were seen to where they are, in the next frame.
    pub(crate) fn play(self: &Rc<Self>, state: PageState) {
        if self.before.borrow().is_none() || self.awaits_frame.replace(true) {
            return;
        }
        let motion = self.clone();
        request_animation_frame(move || {
            motion.awaits_frame.set(false);
            let before = motion.before.take();
            if let Some(before) = before.filter(|it| now() - it.seen_at < LATE) {
                before.play(state);
            }
        });
    }

    /// Nothing moves any more: every score is what is so.
    pub(crate) fn settle(&self, list: &Element) {
        self.before.take();
        for (_, row) in rows(list) {
            let points = points(&row);
            let score = score_of(&row);
            if let Some(score) = score.filter(|it| it.text_content().as_ref() != Some(&points)) {
                score.set_text_content(Some(&points));
            }
        }
    }
}

/// In milliseconds, of a clock that nobody sets.
fn now() -> f64 {
    clock::read().monotonic
}

impl Before {
    fn of(list: &Element) -> Before {
        let rows = rows(list)
            .map(|(id, row)| {
                let place = row.get_bounding_client_rect();
                let seen = Seen {
                    left: place.left(),
                    top: place.top(),
                    score: score(&row),
                    points: points(&row),
                };
                (id, seen)
            })
            .collect();
        Before {
            list: list.clone(),
            seen_at: now(),
            rows,
        }
    }

    fn play(self, state: PageState) {
        let still = prefers_no_motion();
        let height = window().inner_height().ok().and_then(|it| it.as_f64());
        let height = height.unwrap_or(f64::INFINITY);
        // Nobody sees what happens above or below.
        let is_seen = |top: f64| (-height * 0.2..height).contains(&top);
        // All is measured before anything is written: a look after each write
        // would lay out the page anew for every row.
        let rows: Vec<(String, Element, f64, f64)> = rows(&self.list)
            .map(|(id, row)| {
                let place = row.get_bounding_client_rect();
                (id, row, place.left(), place.top())
            })
            .collect();
        // Nothing that this page does brings a row where it is not, or takes it away.
        let is_shown = state.rows.with_untracked(|shown| {
            let ids = rows.iter().map(|(id, ..)| id);
            self.list.is_connected() && shown.iter().map(|row| &row.user_id).eq(ids)
        });
        if !is_shown {
            wasm_bindgen::throw_str("the board was changed by another");
        }
        let before = Index::of(self.rows.iter().map(|(id, _)| id));
        for (id, row, left, top) in rows {
            match before.get(&id).map(|at| &self.rows[at].1) {
                Some(seen) if is_seen(seen.top) || is_seen(top) => {
                    let (x, y) = (seen.left - left, seen.top - top);
                    if x.abs().max(y.abs()) > 0.5 && !still {
                        glide(&row, x, y);
                    }
                    if points(&row) != seen.points {
                        glow(&row, y);
                        if !still {
                            count(&row, &seen.score, state);
                        }
                    }
                }
                Some(_) => {}
                None => appear(&row),
            }
        }
    }
}

/// Shows one screen of the page after the other, for as long as it is open.
pub(crate) fn page_by_itself() {
    let turn = || {
        let window = window();
        let height = |height: Result<JsValue, JsValue>| height.ok().and_then(|it| it.as_f64());
        let screen = height(window.inner_height()).unwrap_or_default();
        let here = window.scroll_y().unwrap_or_default();
        let length = document().document_element().map(|it| it.scroll_height());
        let is_end = here + screen + 1.0 >= length.map(f64::from).unwrap_or_default();
        let to = ScrollToOptions::new();
        to.set_top(if is_end { 0.0 } else { here + screen * 0.8 });
        to.set_behavior(if prefers_no_motion() {
            ScrollBehavior::Instant
        } else {
            ScrollBehavior::Smooth
        });
        window.scroll_to_with_scroll_to_options(&to);
    };
    // Without a timer the first screen stays.
    _ = set_interval_with_handle(turn, KIOSK_PAGE);
}

fn rows(list: &Element) -> impl Iterator<Item = (String, Element)> {
    let children = list.children();
    (0..children.length()).filter_map(move |i| {
        let row = children.item(i)?;
        Some((row.get_attribute("data-user-id")?, row))
    })
}

fn score_of(row: &Element) -> Option<Element> {
    row.query_selector("[data-field=score]").ok().flatten()
}

fn score(row: &Element) -> String {
    let score = score_of(row).and_then(|score| score.text_content());
    score.unwrap_or_default()
}

/// The number that a score says, however it is grouped.
fn number(text: &str) -> Option<i64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().ok()?;
    Some(if text.starts_with('−') {
        -number
    } else {
        number
    })
}

/// The score that is so. The text beside it may still be counting.
fn points(row: &Element) -> String {
    let points = score_of(row).and_then(|score| score.get_attribute(POINTS));
    points.unwrap_or_default()
}

/// Counts a score from what stands there to what is so.
fn count(row: &Element, before: &str, state: PageState) {
    let Some(score) = score_of(row) else {
        return;
    };
    let after = points(row);
    if let (Some(from), Some(to)) = (number(before), number(&after)) {
        let counting = Rc::new(Counting {
            written: RefCell::new(score.text_content()),
            score,
            from,
            to,
            after,
            state,
            begun: now(),
        });
        counting.step();
        // It comes to an end where no frames are drawn, too.
        set_timeout(
            move || counting.finish(),
            Duration::from_millis(COUNT as u64),
        );
    }
}

struct Counting {
    score: Element,
    from: i64,
    to: i64,
    /// What it says at the end.
    after: String,
    /// What was written last.
    written: RefCell<Option<String>>,
    state: PageState,
    begun: f64,
}

impl Counting {
    /// Whoever knows another end goes on instead.
    fn is_ours(&self) -> bool {
        self.score.get_attribute(POINTS).as_ref() == Some(&self.after)
    }

    /// Writes a number of the way, and the next one in the next frame. Where anybody else
    /// has written since, it is the end.
    fn step(self: &Rc<Self>) {
        let part = ((now() - self.begun) / COUNT).clamp(0.0, 1.0);
        if part >= 1.0 || self.score.text_content() != *self.written.borrow() {
            self.finish();
        } else if self.is_ours() {
            // Quick at first, as the row's way is.
            let part = 1.0 - (1.0 - part) * (1.0 - part);
            let now = self.from + ((self.to - self.from) as f64 * part) as i64;
            self.write(self.state.number(now));
            let counting = self.clone();
            request_animation_frame(move || counting.step());
        }
    }

    fn finish(&self) {
        if self.is_ours() {
            self.write(self.after.clone());
        }
    }

    fn write(&self, text: String) {
        self.score.set_text_content(Some(&text));
        self.written.replace(Some(text));
    }
}

fn glide(row: &Element, x: f64, y: f64) {
    // Who climbs passes in front of who falls.
    let layer = if y > 0.0 { "2" } else { "1" };
    let (x, y) = (x.round() as i32, y.round() as i32);
    let from = keyframe(&[
        ("transform", &format!("translate({x}px, {y}px)")),
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
