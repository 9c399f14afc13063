//! The page of one player: score, rank, history, latest actions.

use std::time::SystemTime;

use leptos::prelude::*;

use super::{
    chart::{Chart, Line, Time},
    part::{Part, PartNav},
};
use crate::{
    base_path,
    components::Avatar,
    format::score_name,
    texts::{Locale, Text},
    wire::{BoardInfo, PlayerBoard, ScoreFormat, UserHistory, UserScore},
};

/// The page of one player.
#[component]
pub(super) fn Player(
    /// How it is written.
    locale: Locale,
    /// On which board.
    board: BoardInfo,
    /// The player.
    user: UserHistory,
    /// The boards that the player stands on.
    boards: Part<PlayerBoard>,
) -> impl IntoView {
    let format = &board.format;
    let rank_text = |rank| rank_text(&locale, rank);
    // Of actions that come from another board, nobody knows to which places they led.
    let knows_places = user.recent.iter().all(|action| action.seq.is_some());
    let mut figures = standing(&locale, format, &user.user);
    if knows_places {
        figures.push((Text::BestPlace, rank_text(user.best_rank)));
    }
    figures.push((Text::Actions, locale.number(user.actions.cast_signed())));
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
                <td>{format!("{sign}{}", locale.score(format, action.score_increase))}</td>
                <td>{locale.score(format, action.score)}</td>
                {knows_places.then(|| view! { <td>{rank_text(action.rank)}</td> })}
            </tr>
        }
    });
    let recent = recent.collect_view();
    let columns = [
        Text::Time,
        Text::Action,
        Text::Change,
        score_name(format),
        Text::Place,
    ];
    let columns = columns.into_iter();
    let columns = columns.filter(|name| knows_places || !matches!(name, Text::Place));
    let columns = columns.map(|name| view! { <th scope="col">{locale.text(name)}</th> });
    let chart = chart(&locale, format, &user);
    let boards = player_boards(&locale, &board, &user.user.user_id, boards);
    view! {
        <main class="player">
            <Who user=user.user />
            <Figures locale=locale.clone() figures />
            {boards}
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
    /// On which board.
    board: BoardInfo,
    /// The player.
    user: UserScore,
    /// The boards that the player stands on.
    boards: Part<PlayerBoard>,
) -> impl IntoView {
    let figures = standing(&locale, &board.format, &user);
    let boards = player_boards(&locale, &board, &user.user_id, boards);
    view! {
        <main class="player">
            <Who user />
            <Figures locale=locale.clone() figures />
            {boards}
            <section class="panel">
                <h2>{locale.text(Text::NoPast)}</h2>
                <p class="quiet">{locale.text(Text::TryAgain)}</p>
            </section>
        </main>
    }
}

/// Picture and name.
#[component]
pub(super) fn Who(
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
pub(super) fn Figures(
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

/// Rank and scores now.
pub(super) fn standing(
    locale: &Locale,
    format: &ScoreFormat,
    user: &UserScore,
) -> Vec<(Text, String)> {
    let score = user.score;
    let score = score.map_or("–".into(), |it| locale.score(format, it));
    let mut figures = vec![
        (Text::Place, rank_text(locale, user.rank)),
        (score_name(format), score),
    ];
    if let Some(second) = user.tiebreak {
        let second = second.map_or("–".into(), |it| locale.number(it));
        figures.push((Text::SecondScore, second));
    }
    figures
}

/// How the player stands on each board, where there is another than the one that is shown.
fn player_boards(
    locale: &Locale,
    shown: &BoardInfo,
    user_id: &str,
    boards: Part<PlayerBoard>,
) -> Option<impl IntoView + use<>> {
    let Part { rows, total, page } = boards;
    if rows.iter().all(|it| it.info.id == shown.id) {
        return None;
    }
    let here = base_path::link(&shown.path(&format!("/players/{user_id}")));
    let rows = rows.into_iter().map(|PlayerBoard { info, score, rank }| {
        let path = match info.teams {
            true => info.home(),
            false => info.path(&format!("/players/{user_id}")),
        };
        view! {
            <li>
                <a
                    href=base_path::link(&path)
                    aria-current=(info.id == shown.id).then_some("page")
                >
                    <bdi>{info.title.clone()}</bdi>
                </a>
                <span class="place notranslate" translate="no">{rank_text(locale, Some(rank))}</span>
                <span class="result notranslate" translate="no">
                    {locale.score(&info.format, score)}
                </span>
            </li>
        }
    });
    Some(view! {
        <section class="panel">
            <h2>{locale.text(Text::Boards)}</h2>
            <ul role="list" class="standings">
                {rows.collect_view()}
            </ul>
            <PartNav locale=locale.clone() path=here total=total as u64 page />
        </section>
    })
}

/// The score over time, once there are two points.
fn chart(
    locale: &Locale,
    format: &ScoreFormat,
    user: &UserHistory,
) -> Option<impl IntoView + use<>> {
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
    let heading = locale.text(if format.is_plain() {
        Text::ScoreOverTime
    } else {
        Text::ResultOverTime
    });
    Some(view! {
        <section class="panel">
            <h2>{heading.clone()}</h2>
            <Chart
                label=heading
                lines=vec![line]
                times=(first.timestamp.clone(), last.timestamp.clone())
                locale=locale.clone()
                format=format.clone()
                legend=false
            />
        </section>
    })
}
