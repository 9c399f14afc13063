//! The race chart: the scores of the first ten over time.

use leptos::prelude::*;

use super::chart::{Chart, Line, Numbers, Time, line_class};
use crate::{
    texts::{Locale, Text},
    wire::{Race, ScoreFormat},
};

/// Rows of the table.
const ROWS: usize = 12;

/// The chart, and its numbers as a table. Nothing before the first action.
#[component]
pub(super) fn RaceChart(
    /// How it is written.
    locale: Locale,
    /// How scores are written.
    format: ScoreFormat,
    /// What is shown.
    race: Race,
) -> impl IntoView {
    let Race { times, lines } = race;
    if times.len() < 2 {
        return ().into_any();
    }
    let last = (times.len() - 1) as f64;
    let drawn = lines.iter().map(|line| Line {
        user_id: line.user_id.clone(),
        name: line.username.clone(),
        points: line
            .scores
            .iter()
            .enumerate()
            .filter_map(|(i, score)| Some((i as f64 / last, (*score)?)))
            .collect(),
    });
    let drawn: Vec<Line> = drawn.collect();
    // Every few points, and always the last.
    let step = times.len().div_ceil(ROWS).max(1);
    let rows: Vec<usize> = (0..times.len()).rev().step_by(step).collect();
    let head = lines
        .iter()
        .enumerate()
        .map(|(i, line)| {
            view! {
                <th scope="col" class=line_class(i)>
                    <bdi class="notranslate" translate="no">{line.username.clone()}</bdi>
                </th>
            }
        })
        .collect_view();
    let rows = rows
        .into_iter()
        .rev()
        .map(|at| {
            let cells = lines.iter().enumerate().map(|(i, line)| {
                let score = line.scores.get(at).copied().flatten();
                let score = score.map_or("–".into(), |score| locale.score(&format, score));
                view! { <td class=line_class(i)>{score}</td> }
            });
            view! {
                <tr>
                    <th scope="row">
                        <Time iso=times[at].clone() />
                    </th>
                    {cells.collect_view()}
                </tr>
            }
        })
        .collect_view();
    let label = if format.is_plain() {
        Text::RaceLabel
    } else {
        Text::ResultLabel
    };
    let span = (times[0].clone(), times[times.len() - 1].clone());
    view! {
        <section class="race panel" aria-labelledby="race-title">
            <h2 id="race-title">{locale.text(Text::Race)}</h2>
            <Chart
                label=locale.text(label)
                lines=drawn
                times=span
                locale=locale.clone()
                format
                legend=true
            />
            <Numbers locale=locale.clone()>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{locale.text(Text::Time)}</th>
                            {head}
                        </tr>
                    </thead>
                    <tbody class="notranslate" translate="no">{rows}</tbody>
                </table>
            </Numbers>
        </section>
    }
    .into_any()
}
