//! Rows glide to their new places (FLIP: First, Last, Invert, Play; Paul Lewis, 2015): the
//! position of each row is measured before the document changes, and each row then moves
//! from there to where it is now. Scores count up to their values. With reduced motion, a
//! changed row is only lit for a moment.
//!
//! A browser draws no frames for a hidden page. Then at most one measurement waits for a
//! frame, and no score counts.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::prelude::{WithUntracked, document, request_animation_frame, set_timeout, window};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::Element;

use crate::{
    clock::Reading,
    index::Index,
    js::{object, set},
    state::PageState,
};

#[wasm_bindgen]
extern "C" {
    /// An element as the Web Animations API sees it; web-sys calls that unstable.
    type Animated;

    #[wasm_bindgen(method)]
    fn animate(this: &Animated, keyframes: &js_sys::Array, options: &JsValue);
}

/// How long a row glides, in milliseconds.
const GLIDE: f64 = 450.0;
/// How long a score counts to its value, in milliseconds.
const COUNT: f64 = 400.0;
/// The attribute that holds a row's score.
const POINTS: &str = "data-points";
/// How long a changed score stays lit, in milliseconds.
const GLOW: f64 = 900.0;
/// A change that is drawn so late is not animated, in milliseconds: no viewer remembers the
/// rows before it.
const LATE: f64 = 1_000.0;

/// Moves the rows of a list.
#[derive(Default)]
pub(crate) struct Motion {
    /// The rows before the changes that are not drawn yet.
    before: RefCell<Option<Before>>,
    /// Is a frame requested, and not drawn yet?
    awaits_frame: Cell<bool>,
}

/// The rows as they were drawn before a change.
struct Before {
    list: Element,
    measured_at: f64,
    rows: Vec<(String, Drawn)>,
}

struct Drawn {
    left: f64,
    top: f64,
    /// The text of the score, which may be counting.
    score: String,
    /// The score itself.
    points: String,
}

impl Motion {
    /// Measures the rows of a list before they change. Rows that are gliding are measured
    /// where they are, so that a second change moves them on from there. Changes that are
    /// not drawn yet are measured once.
    pub(crate) fn measure(&self, list: &Element) {
        if document().hidden() {
            self.before.take();
        } else if !self.awaits_frame.get() {
            self.before.replace(Some(Before::of(list)));
        }
    }

    /// Moves the rows from where they were to where they are, in the next frame.
    pub(crate) fn play(self: &Rc<Self>, state: PageState) {
        if self.before.borrow().is_none() || self.awaits_frame.replace(true) {
            return;
        }
        let motion = self.clone();
        request_animation_frame(move || {
            motion.awaits_frame.set(false);
            let before = motion.before.take();
            if let Some(before) = before.filter(|it| now() - it.measured_at < LATE) {
                before.play(state);
            }
        });
    }

    /// Ends all motion: every score is shown as it is.
    pub(crate) fn finish(&self, list: &Element) {
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

/// Milliseconds of the monotonic clock.
fn now() -> f64 {
    Reading::take().monotonic
}

impl Before {
    fn of(list: &Element) -> Before {
        let rows = rows(list)
            .map(|(id, row)| {
                let rect = row.get_bounding_client_rect();
                let drawn = Drawn {
                    left: rect.left(),
                    top: rect.top(),
                    score: score(&row),
                    points: points(&row),
                };
                (id, drawn)
            })
            .collect();
        Before {
            list: list.clone(),
            measured_at: now(),
            rows,
        }
    }

    fn play(self, state: PageState) {
        let still = is_reduced();
        let height = window().inner_height().ok().and_then(|it| it.as_f64());
        let height = height.unwrap_or(f64::INFINITY);
        // Rows above and below the screen are not animated.
        let is_visible = |top: f64| (-height * 0.2..height).contains(&top);
        // All rows are measured before anything is written: a measurement after each write
        // would lay out the page again for every row.
        let rows: Vec<(String, Element, f64, f64)> = rows(&self.list)
            .map(|(id, row)| {
                let rect = row.get_bounding_client_rect();
                (id, row, rect.left(), rect.top())
            })
            .collect();
        // This page itself never adds, moves or removes a row but by its state.
        let is_shown = state.board.shown().rows.with_untracked(|shown| {
            let ids = rows.iter().map(|(id, ..)| id);
            self.list.is_connected() && shown.iter().map(|row| &row.user_id).eq(ids)
        });
        if !is_shown {
            wasm_bindgen::throw_str("the board was changed by another");
        }
        let before = Index::of(self.rows.iter().map(|(id, _)| id));
        for (id, row, left, top) in rows {
            match before.get(&id).map(|at| &self.rows[at].1) {
                Some(drawn) if is_visible(drawn.top) || is_visible(top) => {
                    let (x, y) = (drawn.left - left, drawn.top - top);
                    if x.abs().max(y.abs()) > 0.5 && !still {
                        glide(&row, x, y);
                    }
                    if points(&row) != drawn.points {
                        glow(&row, y);
                        if !still {
                            count(&row, &drawn.score, state);
                        }
                    }
                }
                Some(_) => {}
                None => appear(&row),
            }
        }
    }
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

/// The score itself. The text beside it may still be counting.
fn points(row: &Element) -> String {
    let points = score_of(row).and_then(|score| score.get_attribute(POINTS));
    points.unwrap_or_default()
}

/// Counts a score from what was drawn to its value.
fn count(row: &Element, before: &str, state: PageState) {
    let Some(score) = score_of(row) else {
        return;
    };
    let after = points(row);
    let number = |text: &str| state.settings.parse_score(text);
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
        // It also ends where no frames are drawn.
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
    /// The text at the end.
    after: String,
    /// The text that was written last.
    written: RefCell<Option<String>>,
    state: PageState,
    begun: f64,
}

impl Counting {
    /// Has the score not changed since? Otherwise it counts to another end.
    fn is_current(&self) -> bool {
        self.score.get_attribute(POINTS).as_ref() == Some(&self.after)
    }

    /// Writes a number between, and the next one in the next frame. It ends where others have
    /// written the text since.
    fn step(self: &Rc<Self>) {
        let part = ((now() - self.begun) / COUNT).clamp(0.0, 1.0);
        if part >= 1.0 || self.score.text_content() != *self.written.borrow() {
            self.finish();
        } else if self.is_current() {
            // Quick at first, as the row glides.
            let part = 1.0 - (1.0 - part) * (1.0 - part);
            let now = self.from + ((self.to - self.from) as f64 * part) as i64;
            self.write(self.state.settings.score(now));
            let counting = self.clone();
            request_animation_frame(move || counting.step());
        }
    }

    fn finish(&self) {
        if self.is_current() {
            self.write(self.after.clone());
        }
    }

    fn write(&self, text: String) {
        self.score.set_text_content(Some(&text));
        self.written.replace(Some(text));
    }
}

fn glide(row: &Element, x: f64, y: f64) {
    // A row that climbs passes in front of one that falls.
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

fn keyframe(properties: &[(&str, &str)]) -> JsValue {
    let frame = object(&[]);
    for (name, value) in properties {
        set(&frame, name, &JsValue::from_str(value));
    }
    frame
}

fn animate(row: &Element, keyframes: &[JsValue], milliseconds: f64) {
    let options = object(&[
        ("duration", milliseconds.into()),
        ("easing", "cubic-bezier(0.2, 0.8, 0.2, 1)".into()),
    ]);
    let keyframes = keyframes.iter().collect();
    row.unchecked_ref::<Animated>()
        .animate(&keyframes, &options);
}

/// Does the user prefer reduced motion?
pub(crate) fn is_reduced() -> bool {
    let query = window().match_media("(prefers-reduced-motion: reduce)");
    query.ok().flatten().is_some_and(|query| query.matches())
}
