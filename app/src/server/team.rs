//! The page of one team: score, rank, and its members with what each has. Links alone.

use leptos::prelude::*;

use super::player::{Figures, Who, standing};
use crate::{
    base_path,
    components::Avatar,
    format::score_name,
    texts::{Locale, Text},
    wire::{BoardInfo, UserScore},
};

/// What is shown of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamPage {
    /// How it stands.
    pub team: UserScore,
    /// The best of those of its members who have a result, the best first.
    pub members: Vec<Member>,
    /// How many have one.
    pub total: u64,
    /// So many of them count, if not all do.
    pub counted: Option<u32>,
}

/// A member of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// A UUID.
    pub user_id: String,
    /// The path of their own page, below the base path.
    pub path: String,
    /// The name to show.
    pub username: String,
    /// The address of a picture.
    pub avatar: Option<String>,
    /// What they have in this team.
    pub score: i64,
    /// The second score, on a board that has one.
    pub tiebreak: Option<i64>,
    /// Is it a part of the team's score?
    pub counts: bool,
}

/// The page of one team.
#[component]
pub(super) fn Team(
    /// How it is written.
    locale: Locale,
    /// On which board.
    board: BoardInfo,
    /// What is shown.
    shown: TeamPage,
) -> impl IntoView {
    let TeamPage {
        team,
        members,
        total,
        counted,
    } = shown;
    let figures = standing(&locale, &board.format, &team);
    let about = match (total, counted) {
        (0, _) => locale.text(Text::NoResults),
        (total, None) => locale.players(total),
        (total, Some(most)) => {
            let most = locale.number(i64::from(most));
            let rule = locale.with(Text::BestCount, &[("n", &most)]);
            format!("{} · {rule}", locale.players(total))
        }
    };
    let has_members = !members.is_empty();
    let column = |text| view! { <th scope="col">{locale.text(text)}</th> };
    let columns = view! {
        {column(Text::Name)}
        {column(score_name(&board.format))}
        {board.tiebreak.then(|| column(Text::SecondScore))}
        {counted.map(|_| column(Text::Counts))}
    };
    let rows = members.into_iter().map(|member| {
        let counts = locale.text(if member.counts { Text::Yes } else { Text::No });
        view! {
            <tr data-counts=(counted.is_some() && member.counts).then_some("")>
                <th scope="row">
                    <a class="member" href=base_path::link(&member.path)>
                        <Avatar
                            user_id=member.user_id
                            username=member.username.clone()
                            avatar=member.avatar.map(base_path::picture)
                        />
                        <bdi class="notranslate" translate="no">{member.username}</bdi>
                    </a>
                </th>
                <td class="notranslate" translate="no">
                    {locale.score(&board.format, member.score)}
                </td>
                {member
                    .tiebreak
                    .map(|it| {
                        view! { <td class="notranslate" translate="no">{locale.number(it)}</td> }
                    })}
                {counted.map(|_| view! { <td>{counts}</td> })}
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <main class="player">
            <Who user=team />
            <Figures locale=locale.clone() figures />
            <section class="panel">
                <h2>{locale.text(Text::Members)}</h2>
                <p class="quiet">{about}</p>
                {has_members
                    .then(|| {
                        view! {
                            <div
                                class="scroller"
                                tabindex="0"
                                role="region"
                                aria-label=locale.text(Text::Members)
                            >
                                <table class="members">
                                    <thead>
                                        <tr>{columns}</tr>
                                    </thead>
                                    <tbody>{rows}</tbody>
                                </table>
                            </div>
                        }
                    })}
            </section>
        </main>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn members_lead_to_their_own_pages_and_say_whether_they_count() {
        let member = |username: &str, counts| Member {
            user_id: "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11".into(),
            path: format!("/players/{username}"),
            username: username.into(),
            score: 1500,
            tiebreak: Some(7),
            counts,
            ..Member::default()
        };
        let shown = TeamPage {
            team: UserScore {
                username: "North".into(),
                score: Some(3000),
                tiebreak: Some(Some(14)),
                rank: Some(1),
                ..UserScore::default()
            },
            members: vec![member("Ada", true), member("Grace", false)],
            total: 2,
            counted: Some(1),
        };
        let board = BoardInfo {
            id: "teams".into(),
            teams: true,
            tiebreak: true,
            ..BoardInfo::default()
        };
        let locale = Language::English.locale();
        let html = Owner::new().with(|| view! { <Team locale board shown /> }.to_html());
        for part in [
            "North",
            "#1",
            "3,000",
            ">14<",
            "The best 1 count",
            r#"href="/players/Ada""#,
            "1,500",
            ">Yes<",
            ">No<",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }
}
