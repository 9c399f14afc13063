//! Lines over time, as SVG. Names and numbers are HTML beside them, which stays legible
//! however narrow the chart is.

use leptos::prelude::*;

use crate::{
    dates,
    texts::{Locale, Text},
    wire::ScoreFormat,
};

/// One line of a chart.
pub(super) struct Line {
    /// Whose it is: a UUID.
    pub(super) user_id: String,
    /// The name to show.
    pub(super) name: String,
    /// Times as parts of the whole time, 0 to 1, and scores, in order of time.
    pub(super) points: Vec<(f64, i64)>,
}

/// A chart, whose scale holds all lines.
#[component]
pub(super) fn Chart(
    /// What it shows, for screen readers.
    label: String,
    /// What is shown.
    lines: Vec<Line>,
    /// The first and the last time: ISO 8601.
    times: (String, String),
    /// How it is written.
    locale: Locale,
    /// How scores are written.
    format: ScoreFormat,
    /// Is there a legend that says which line is whose?
    legend: bool,
) -> impl IntoView {
    let scores = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|(_, score)| *score)
    };
    // The scale begins at zero, unless no score is near it.
    let (least, most) = (scores().min().unwrap_or(0), scores().max().unwrap_or(0));
    let floor = if least >= 0 && least < most / 2 {
        0
    } else {
        least
    };
    let range = (most - floor).max(1) as f64;
    let paths = lines.iter().enumerate().map(|(i, line)| {
        view! { <path class=format!("line line-{i}") d=path(&line.points, floor, range) /> }
    });
    let paths = paths.collect_view();
    let names = lines
        .iter()
        .enumerate()
        .filter(|_| legend)
        .map(|(i, line)| {
            let score = line.points.last().map_or(0, |(_, score)| *score);
            view! {
                <li class=line_class(i) data-user-id=line.user_id.clone()>
                    <bdi>{line.name.clone()}</bdi>
                    <span>{locale.score(&format, score)}</span>
                </li>
            }
        });
    let names = names.collect_view();
    view! {
        <div class="chart">
            <div class="plot notranslate" translate="no">
                <span class="most">{locale.score(&format, most)}</span>
                <span class="least">{locale.score(&format, floor)}</span>
                <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label=label>
                    {paths}
                </svg>
            </div>
            <p class="span">
                <Time iso=times.0 />
                <Time iso=times.1 />
            </p>
            {legend.then(|| view! { <ol class="legend notranslate" translate="no">{names}</ol> })}
        </div>
    }
}

/// The class of all that belongs to one line of a chart.
pub(super) fn line_class(line: usize) -> String {
    format!("line-{line}")
}

/// Steps: a score holds until it is another.
fn path(points: &[(f64, i64)], floor: i64, range: f64) -> String {
    let mut path = String::new();
    for (i, (at, score)) in points.iter().enumerate() {
        let x = at * 100.0;
        let y = 98.0 - (score - floor) as f64 / range * 96.0;
        path.push_str(&if i == 0 {
            format!("M{x:.2} {y:.2}")
        } else {
            format!("H{x:.2}V{y:.2}")
        });
    }
    if let Some((at, _)) = points.last()
        && *at < 1.0
    {
        path.push_str("H100");
    }
    path
}

/// A time in UTC, which a script writes in the user's time zone.
#[component]
pub(super) fn Time(
    /// ISO 8601.
    iso: String,
) -> impl IntoView {
    view! { <time datetime=iso.clone()>{dates::utc(&iso)}</time> }
}

/// The numbers of a chart as a table, closed at first.
#[component]
pub(super) fn Numbers(
    /// How it is written.
    locale: Locale,
    /// The table.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="numbers">
            <summary>{locale.text(Text::AsTable)}</summary>
            // It scrolls by the keyboard too.
            <div
                class="scroller"
                tabindex="0"
                role="region"
                aria-label=locale.text(Text::AsTable)
            >
                {children()}
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_holds_until_it_is_another() {
        let points = [(0.0, 0), (0.5, 50), (0.75, 100)];
        assert_eq!(
            path(&points, 0, 100.0),
            "M0.00 98.00H50.00V50.00H75.00V2.00H100"
        );
    }
}
