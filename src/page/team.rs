//! `GET /b/{board}/players/{id}` of a team: how it stands, and who stands behind it.

use app::{
    server::{Document, Member, TeamPage},
    wire::BoardInfo,
};
use axum::response::Response;

use super::{Pages, Visit, cache::Content, render::Page};
use crate::{
    board::{BoardId, TeamId, Visibility},
    live::{TeamState, Version},
    wire,
};

/// Members that are shown.
const SHOWN: usize = 100;

impl Pages {
    /// The page of a team that is registered, on a board of teams.
    pub(super) async fn team(
        &self,
        board: BoardId,
        team: TeamId,
        visit: Visit,
        version: Version,
    ) -> Response {
        let content = Content::Team {
            board: board.clone(),
            boards: self.live.read(|_, state| state.boards_version()),
            team,
        };
        let pages = self.clone();
        let page = move |_| {
            let Some(shown) = pages.live.team(&board, team, SHOWN) else {
                // It was deleted just now.
                return Document::Unavailable.into();
            };
            Page {
                board: Some(pages.info_of(&board)),
                ..Document::Team(Box::new(pages.team_page(&board, shown))).into()
            }
        };
        self.render_for_all(visit, version, content, page).await
    }

    fn team_page(&self, board: &BoardId, shown: TeamState) -> TeamPage {
        let source = self.source_of(board);
        let has_tiebreak = shown.team.has_tiebreak;
        let members = shown.best.into_iter().map(|member| {
            let mut avatar = member.profile.avatar.map(String::from);
            self.origins.hide_picture(&mut avatar);
            Member {
                path: source.path(&format!("/players/{}", member.user)),
                user_id: member.user.to_string(),
                username: member.profile.username.into(),
                avatar,
                score: member.scores.score.points(),
                tiebreak: has_tiebreak.then(|| member.scores.tiebreak.points()),
                counts: member.counts,
            }
        });
        TeamPage {
            team: self.shown_user(&shown.team),
            members: members.collect(),
            total: shown.total,
            counted: shown.counted,
        }
    }

    /// The board on which the members of teams have pages with what they did: the one that this
    /// is derived from, unless that is not to be found by a link.
    fn source_of(&self, board: &BoardId) -> BoardInfo {
        let source = self.live.read(|_, state| {
            let of = &state.board(board)?.settings().derivation()?.of;
            let source = state.view(of)?;
            let is_listed = source.board().settings().visibility != Visibility::Unlisted;
            is_listed.then(|| wire::board_info(source))
        });
        source.unwrap_or_else(|| self.info_of(board))
    }
}
