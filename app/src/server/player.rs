//! The page of one player: score, rank, history, latest actions.

use std::time::SystemTime;

use leptos::prelude::*;

use super::chart::{Chart, Line, Time};
use crate::{
    base_path,
    components::Avatar,
    texts::{Locale, Text},
    wire::{UserHistory, UserScore},
};

/// The page of one player.
#[component]
pub(super) fn Player(
    /// How it is written.
    locale: Locale,
    /// The player.
    user: UserHistory,
) -> impl IntoView {
    let rank_text = |rank| rank_text(&locale, rank);
    let [rank, score] = standing(&locale, &user.user);
    let figures = vec![
        rank,
        score,
        (Text::BestPlace, rank_text(user.best_rank)),
        (Text::Actions, locale.number(user.actions.cast_signed())),
    ];
    let recent = user.recent.iter().map(|action| {
        let sign = if action.score_increase > 0 { "+" } else { "" };
        view! {
            <tr>
                <td>
                    <Time iso=action.timestamp.clone() />
                </td>
                <td>
                    <bdi>{action.action_type.clone()}</bdi>
                </td>
                <td>{format!("{sign}{}", locale.number(action.score_increase))}</td>
                <td>{locale.number(action.score)}</td>
                <td>{rank_text(action.rank)}</td>
            </tr>
        }
    });
    let recent = recent.collect_view();
    let columns = [
        Text::Time,
        Text::Action,
        Text::Change,
        Text::Score,
        Text::Place,
    ];
    let columns = columns.map(|name| view! { <th scope="col">{locale.text(name)}</th> });
    let chart = chart(&locale, &user);
    view! {
        <main class="player">
            <Who user=user.user />
            <Figures locale=locale.clone() figures />
            {chart}
            <section class="panel">
                <h2>{locale.text(Text::RecentActions)}</h2>
                {if user.recent.is_empty() {
                    view! { <p class="quiet">{locale.text(Text::NoActions)}</p> }.into_any()
                } else {
                    view! {
                        <div
                            class="scroller"
                            tabindex="0"
                            role="region"
                            aria-label=locale.text(Text::RecentActions)
                        >
                            <table>
                                <thead>
                                    <tr>{columns.collect_view()}</tr>
                                </thead>
                                <tbody class="notranslate" translate="no">{recent}</tbody>
                            </table>
                        </div>
                    }
                        .into_any()
                }}
            </section>
        </main>
    }
}

/// The page of one player, whose history is unavailable.
#[component]
pub(super) fn PlayerNow(
    /// How it is written.
    locale: Locale,
    /// The player.
    user: UserScore,
) -> impl IntoView {
    let figures = standing(&locale, &user).to_vec();
    view! {
        <main class="player">
            <Who user />
            <Figures locale=locale.clone() figures />
            <section class="panel">
                <h2>{locale.text(Text::NoPast)}</h2>
                <p class="quiet">{locale.text(Text::TryAgain)}</p>
            </section>
        </main>
    }
}

/// Picture and name.
#[component]
fn Who(
    /// The player.
    user: UserScore,
) -> impl IntoView {
    let UserScore {
        user_id,
        username,
        avatar,
        ..
    } = user;
    view! {
        <div class="who">
            <Avatar user_id username=username.clone() avatar=avatar.map(base_path::picture) />
            <h1>
                <bdi class="notranslate" translate="no">{username}</bdi>
            </h1>
        </div>
    }
}

/// The figures of a player.
#[component]
fn Figures(
    /// How it is written.
    locale: Locale,
    /// Names and values.
    figures: Vec<(Text, String)>,
) -> impl IntoView {
    let figures = figures.into_iter().map(|(name, value)| {
        view! {
            <div>
                <dt>{locale.text(name)}</dt>
                <dd class="notranslate" translate="no">{value}</dd>
            </div>
        }
    });
    view! { <dl class="figures">{figures.collect_view()}</dl> }
}

fn rank_text(locale: &Locale, rank: Option<u64>) -> String {
    match rank {
        Some(rank) => format!("#{}", locale.number(rank.cast_signed())),
        None => "–".into(),
    }
}

/// Rank and score now.
fn standing(locale: &Locale, user: &UserScore) -> [(Text, String); 2] {
    let score = user.score.map_or("–".into(), |it| locale.number(it));
    [
        (Text::Place, rank_text(locale, user.rank)),
        (Text::Score, score),
    ]
}

/// The score over time, once there are two points.
fn chart(locale: &Locale, user: &UserHistory) -> Option<impl IntoView + use<>> {
    let at = |iso: &str| humantime::parse_rfc3339(iso).ok();
    let (first, last) = (user.history.first()?, user.history.last()?);
    let (begin, end) = (at(&first.timestamp)?, at(&last.timestamp)?);
    let whole = end.duration_since(begin).ok()?.as_secs_f64();
    if whole <= 0.0 {
        return None;
    }
    let part = |time: SystemTime| Some(time.duration_since(begin).ok()?.as_secs_f64() / whole);
    let points = user.history.iter();
    let points = points.filter_map(|it| Some((part(at(&it.timestamp)?)?, it.score)));
    let line = Line {
        user_id: user.user.user_id.clone(),
        name: user.user.username.clone(),
        points: points.collect(),
    };
    Some(view! {
        <section class="panel">
            <h2>{locale.text(Text::ScoreOverTime)}</h2>
            <Chart
                label=locale.text(Text::ScoreOverTime)
                lines=vec![line]
                times=(first.timestamp.clone(), last.timestamp.clone())
                locale=locale.clone()
                legend=false
            />
        </section>
    })
}
