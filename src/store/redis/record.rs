//! How users, announcements and entries of the log are written down in Redis.
//! Scripts write the same and read it (`scripts/append.lua`): numbers are decimal text
//! with blanks between, `-` is none, and what only a node reads is JSON at the end.

use redis::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::fault::Fault;
use crate::{
    board::{
        Action, Announcement, AnnouncementId, Audience, BoardHead, BoardId, Epoch, Fact, GroupId,
        LogEntry, Membership, Profile, Score, Scores, Season, Seasons, Seq, Settings, StoredBoard,
        StoredMember, StoredStanding, TeamId, Timestamp, UserId, ranking::Standing,
    },
    board_settings::{self, SettingsJson},
    store::{
        HistoryPoint, RecentAction,
        announcement_names::{AUDIENCES, KINDS, SEVERITIES, USER, name_of, value_of},
        records::{Counted, PastAction},
    },
};

/// An entry of the log, with what the board does not need to know.
pub(super) struct Logged {
    pub(super) entry: LogEntry,
    /// The epoch of the log that it belongs to.
    pub(super) epoch: Epoch,
    /// Names the call that wrote it.
    pub(super) nonce: u64,
    /// The action's id, if it is one.
    pub(super) action: Option<Box<str>>,
    /// How its user stood before it, on the board that it is about, or else on `main`.
    pub(super) before: Before,
    /// Is that known? Of entries that a migration has written it is not.
    pub(super) knows_before: bool,
    /// What a user who was deleted had on other boards.
    pub(super) had: Vec<(BoardId, Standing)>,
    /// What its user belonged to before it, if it is about that.
    pub(super) was: Option<Membership>,
    /// Was a user hidden who was deleted?
    pub(super) was_hidden: bool,
    /// The derived board that it creates, if it was asked for.
    pub(super) made: Option<StoredBoard>,
    /// As far as ranks were known when it was written, where it has that field.
    pub(super) ranked_through: Option<u64>,
}

/// The board that is meant where none is named.
const MAIN: &str = "main";

/// How a user stood: `None` for nobody, `Some(None)` for one who is not ranked.
pub(super) type Before = Option<Option<Standing>>;

impl Logged {
    /// Reads an entry as XRANGE and XREAD give it: the id, then names and values.
    pub(super) fn read(entry: &Value) -> Result<Logged, Fault> {
        let damaged = Fault::Damaged("an entry without id or fields");
        let [id, fields] = array(entry)? else {
            return Err(damaged);
        };
        let seq = text(id)?.strip_suffix("-0").ok_or(damaged)?;
        let fields = Fields(pairs(fields)?);
        let user = || id_of(fields.get("user")?).map(UserId);
        let board = || {
            let name = fields.text("board").unwrap_or(MAIN);
            BoardId::new(name).ok_or(Fault::Damaged("the id of a board"))
        };
        let fact = match fields.text("kind")? {
            "user" => Fact::UserChanged {
                user: user()?,
                profile: read_profile(fields.text("profile")?)?,
            },
            "action" => Fact::Action(Action {
                board: board()?,
                user: user()?,
                action_type: fields.text("type")?.into(),
                increase: number(fields.text("increase")?)?,
                tiebreak_increase: number(fields.text("second").unwrap_or("0"))?,
                scores: read_scores(fields.text("score")?)?,
            }),
            "deleted" => Fact::UserDeleted { user: user()? },
            "grouped" => {
                let membership = read_membership(fields.text("membership")?)?;
                Fact::UserGrouped {
                    user: user()?,
                    team: membership.team,
                    groups: membership.groups,
                }
            }
            "hidden" => Fact::UserHidden {
                user: user()?,
                hidden: fields.text("hidden")? == "1",
                reason: fields.text("reason").ok().map(Into::into),
            },
            "team" => Fact::TeamChanged {
                team: read_team(fields.text("team")?)?,
                profile: read_profile(fields.text("profile")?)?,
            },
            "board" => {
                let (settings, borders) = read_detail(fields.text("detail")?)?;
                Fact::BoardChanged {
                    board: board()?,
                    settings: settings.into(),
                    borders,
                }
            }
            "board_deleted" => Fact::BoardDeleted { board: board()? },
            "season_ended" => Fact::SeasonEnded {
                board: board()?,
                next: some_number(fields.text("next")?)?.map(Timestamp),
            },
            "revoked" => Fact::TokensRevoked {
                user: user()?,
                issued_until: number(fields.text("until")?)?,
            },
            "announced" => Fact::Announced(announcement(
                fields.get("id")?,
                fields.text("from")?,
                fields.text("until")?,
                fields.text("what")?,
            )?),
            _ => return Err(Fault::Damaged("an entry of an unknown kind")),
        };
        let is_action = matches!(fact, Fact::Action(_));
        let action = is_action.then(|| fields.text("id")).transpose()?;
        let before = fields.get("before").ok().map(bytes_text).transpose()?;
        let had = fields.text("had").unwrap_or_default().lines();
        let was = match &fact {
            // Of an entry that a migration has written nobody needs it.
            Fact::UserGrouped { .. } => fields.text("was").ok(),
            // Early programs have none.
            Fact::UserDeleted { .. } => Some(fields.text("membership").unwrap_or_default()),
            _ => None,
        };
        let was = match was {
            Some("") => Some(Membership::default()),
            was => was.map(read_membership).transpose()?,
        };
        let was_hidden = matches!(fact, Fact::UserDeleted { .. })
            && fields.text("hidden").is_ok_and(|hidden| hidden == "1");
        Ok(Logged {
            entry: LogEntry {
                seq: read_seq(seq)?,
                at: Timestamp(number(fields.text("at")?)?),
                fact,
            },
            epoch: read_epoch(fields.text("epoch")?)?,
            nonce: u64::from_str_radix(fields.text("nonce")?, 16)
                .map_err(|_| Fault::Damaged("the nonce of an entry"))?,
            action: action.map(Into::into),
            knows_before: before.is_some(),
            before: match before {
                None | Some("") => None,
                Some(before) => Some(standing(before)?),
            },
            had: had.map(read_had).collect::<Result<_, _>>()?,
            was,
            was_hidden,
            made: None,
            ranked_through: fields.text("ranked").ok().map(number).transpose()?,
        })
    }

    /// Reads entries as XRANGE gives them.
    pub(super) fn read_all(entries: &Value) -> Result<Vec<Logged>, Fault> {
        array(entries)?.iter().map(Logged::read).collect()
    }
}

/// Names and values.
struct Fields<'a>(&'a [[Value; 2]]);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Result<&'a [u8], Fault> {
        let is_it = |[found, _]: &&[Value; 2]| bytes(found).is_ok_and(|it| it == name.as_bytes());
        let found = self.0.iter().find(is_it);
        let [_, value] = found.ok_or(Fault::Damaged("an entry without all its fields"))?;
        bytes(value)
    }

    fn text(&self, name: &str) -> Result<&'a str, Fault> {
        bytes_text(self.get(name)?)
    }
}

pub(super) fn array(value: &Value) -> Result<&[Value], Fault> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Fault::Damaged("an answer that is no list")),
    }
}

/// A list of two in turn.
pub(super) fn pairs(value: &Value) -> Result<&[[Value; 2]], Fault> {
    Ok(array(value)?.as_chunks().0)
}

pub(super) fn bytes(value: &Value) -> Result<&[u8], Fault> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.as_bytes()),
        _ => Err(Fault::Damaged("an answer that is no text")),
    }
}

pub(super) fn text(value: &Value) -> Result<&str, Fault> {
    bytes_text(bytes(value)?)
}

pub(super) fn bytes_text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Damaged("a text that is not UTF-8"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::Damaged("a number"))
}

/// A number, or `-` for none.
pub(super) fn some_number(text: &str) -> Result<Option<u64>, Fault> {
    match text {
        "-" => Ok(None),
        text => number(text).map(Some),
    }
}

/// `-` or the number.
pub(super) fn number_text(number: Option<u64>) -> String {
    number.map_or_else(|| "-".into(), |number| number.to_string())
}

pub(super) fn score(text: &str) -> Result<Score, Fault> {
    Score::new(number(text)?).ok_or(Fault::Damaged("a score out of range"))
}

pub(super) fn read_seq(text: &str) -> Result<Seq, Fault> {
    Seq::new(number(text)?).ok_or(Fault::Damaged("an entry numbered 0"))
}

pub(super) fn read_epoch(text: &str) -> Result<Epoch, Fault> {
    let epoch = u64::from_str_radix(text, 16);
    epoch.map(Epoch).map_err(|_| Fault::Damaged("the epoch"))
}

/// A nonce as entries have it.
pub(super) fn nonce_text(nonce: u64) -> String {
    format!("{nonce:016x}")
}

pub(super) fn id_of(bytes: &[u8]) -> Result<[u8; 16], Fault> {
    bytes.try_into().map_err(|_| Fault::Damaged("an id"))
}

/// The next word of a record, and what follows it.
pub(super) fn split(record: &str) -> Result<(&str, &str), Fault> {
    let damaged = Fault::Damaged("a record that ends early");
    record.split_once(' ').ok_or(damaged)
}

/// Scores: `SCORE`, or `SCORE/SECOND` where the second one is not 0.
pub(super) fn read_scores(text: &str) -> Result<Scores, Fault> {
    let (first, second) = text.split_once('/').unwrap_or((text, "0"));
    Ok(Scores {
        score: score(first)?,
        tiebreak: score(second)?,
    })
}

/// The same, to be written.
pub(super) fn scores_text(scores: Scores) -> String {
    match scores.tiebreak {
        Score::ZERO => scores.score.points().to_string(),
        second => format!("{}/{}", scores.score.points(), second.points()),
    }
}

/// Scores and moment.
fn standing(text: &str) -> Result<Option<Standing>, Fault> {
    let (scores, reached) = split(text)?;
    if scores == "-" || reached == "-" {
        return Ok(None);
    }
    Ok(Some(Standing::of(read_scores(scores)?, read_seq(reached)?)))
}

/// The same, to be written.
pub(super) fn standing_text(standing: Option<Standing>) -> String {
    standing.map_or_else(
        || "- -".into(),
        |it| format!("{} {}", scores_text(it.scores()), it.reached.get()),
    )
}

/// What a user had on a board: its id, scores and moment.
fn read_had(line: &str) -> Result<(BoardId, Standing), Fault> {
    let damaged = Fault::Damaged("what a user had who was deleted");
    let (board, rest) = split(line)?;
    let board = BoardId::new(board);
    let had = board.zip(standing(rest)?);
    had.ok_or(damaged)
}

/// A user's record.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: UserId,
    pub(super) profile: Profile,
    /// What they have on `main`.
    pub(super) standing: Option<Standing>,
    /// The best rank there.
    pub(super) best: Option<u64>,
    /// The entry by which they were registered, or one that all nodes take for it where an early
    /// program has not noted that.
    pub(super) registered: Seq,
}

/// A user's record: scores, moment, best rank, where the user was registered, and how the user
/// is shown.
pub(super) fn member(id: &[u8], record: &[u8]) -> Result<Member, Fault> {
    let record = bytes_text(record)?;
    let (points, rest) = split(record)?;
    let (reached, rest) = split(rest)?;
    let (best, rest) = split(rest)?;
    // Early programs did not note it.
    let (registered, profile) = match rest.split_once(' ') {
        Some((number, profile)) if number.bytes().all(|it| it.is_ascii_digit()) => {
            (read_seq(number)?, profile)
        }
        _ => (
            reached
                .parse()
                .ok()
                .and_then(Seq::new)
                .unwrap_or(Seq::FIRST),
            rest,
        ),
    };
    let best = some_number(best)?;
    let standing = standing(&record[..points.len() + 1 + reached.len()])?;
    // Early programs wrote down at which score people begin.
    let is_first = best.is_none() && standing == Some(Standing::of(Scores::default(), registered));
    Ok(Member {
        id: UserId(id_of(id)?),
        profile: read_profile(profile)?,
        standing: standing.filter(|_| !is_first),
        best,
        registered,
    })
}

/// What somebody has on another board than `main`: scores, moment and best rank.
pub(super) fn read_standing(record: &str) -> Result<Option<(Standing, Option<u64>)>, Fault> {
    let (points, rest) = split(record)?;
    let (reached, best) = split(rest)?;
    let standing = standing(&record[..points.len() + 1 + reached.len()])?;
    let best = some_number(best)?;
    Ok(standing.map(|standing| (standing, best)))
}

/// The same, to be written.
pub(super) fn board_standing_text(standing: Standing, best: Option<u64>) -> String {
    format!("{} {}", standing_text(Some(standing)), number_text(best))
}

/// What somebody has in a team.
pub(super) fn read_member_standing(record: &str) -> Result<Standing, Fault> {
    standing(record)?.ok_or(Fault::Damaged("what somebody has in a team"))
}

/// Team and groups: the team or `-`, and the groups as JSON.
pub(super) fn membership_text(team: Option<TeamId>, groups: &[GroupId]) -> String {
    format!("{} {}", team_text(team), groups_text(groups))
}

/// A team, or `-` for none.
pub(super) fn team_text(team: Option<TeamId>) -> String {
    team.map_or_else(|| "-".into(), |team| team.to_string())
}

/// Groups, as scripts compare them.
pub(super) fn groups_text(groups: &[GroupId]) -> String {
    let groups: Vec<&str> = groups.iter().map(|group| &*group.0).collect();
    json!(groups).to_string()
}

pub(super) fn read_team(text: &str) -> Result<TeamId, Fault> {
    text.parse().map_err(|_| Fault::Damaged("the id of a team"))
}

/// Team and groups, as they were written.
/// The entry by which a user was given a team and groups, from what `append.lua` keeps of it.
pub(super) fn read_grouping(user: UserId, record: &str) -> Result<LogEntry, Fault> {
    let (seq, rest) = split(record)?;
    let (at, membership) = split(rest)?;
    let membership = read_membership(membership)?;
    Ok(LogEntry {
        seq: read_seq(seq)?,
        at: Timestamp(number(at)?),
        fact: Fact::UserGrouped {
            user,
            team: membership.team,
            groups: membership.groups,
        },
    })
}

/// See [`read_grouping`].
pub(super) fn grouping_text(entry: &LogEntry, membership: &str) -> String {
    format!("{} {} {membership}", entry.seq.get(), entry.at.0)
}

pub(super) fn read_membership(text: &str) -> Result<Membership, Fault> {
    let (team, groups) = split(text)?;
    let groups: Vec<String> =
        serde_json::from_str(groups).map_err(|_| Fault::Damaged("the groups of a user"))?;
    Ok(Membership {
        team: match team {
            "-" => None,
            team => Some(read_team(team)?),
        },
        groups: groups
            .into_iter()
            .map(|group| GroupId(group.into()))
            .collect(),
    })
}

/// What an entry says of a board.
pub(super) fn detail_text(settings: &Settings, borders: &[Timestamp]) -> String {
    let borders: Vec<u64> = borders.iter().map(|border| border.0).collect();
    json!([SettingsJson::from(settings), borders]).to_string()
}

fn read_detail(text: &str) -> Result<(Settings, Box<[Timestamp]>), Fault> {
    let damaged = || Fault::Damaged("the settings of a board");
    let (settings, borders): (SettingsJson, Vec<u64>) =
        serde_json::from_str(text).map_err(|_| damaged())?;
    let settings = settings.try_into().map_err(|_| damaged())?;
    Ok((settings, borders.into_iter().map(Timestamp).collect()))
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Head {
    settings: SettingsJson,
    seq: u64,
    changed: u64,
    used: bool,
    /// The number of the running one, and when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    season: Option<(u32, Option<u64>)>,
}

/// A board without those who stand on it.
pub(super) fn head_text(head: &BoardHead) -> String {
    let Seasons { ended, ends } = head.seasons;
    let season = (head.seasons != Seasons::default())
        .then(|| (ended.saturating_add(1), ends.map(|ends| ends.0)));
    let head = Head {
        settings: SettingsJson::from(&*head.settings),
        seq: head.seq,
        changed: head.changed.0,
        used: head.is_used,
        season,
    };
    serde_json::to_string(&head).unwrap_or_default()
}

/// What somebody has on a board, as it was written: nothing of somebody without a result.
pub(super) fn stored_standing(
    user: &Value,
    record: &Value,
) -> Result<Option<StoredStanding>, Fault> {
    let user = UserId(id_of(bytes(user)?)?);
    let standing = read_standing(text(record)?)?;
    Ok(standing.map(|(standing, best)| StoredStanding {
        user,
        standing,
        best,
    }))
}

/// What somebody has in a team, as it was written.
pub(super) fn stored_member(field: &Value, record: &Value) -> Result<StoredMember, Fault> {
    let damaged = || Fault::Damaged("what somebody has in a team");
    let (user, team) = bytes(field)?.split_at_checked(16).ok_or_else(damaged)?;
    let standing: Standing = read_member_standing(text(record)?)?;
    Ok(StoredMember {
        user: UserId(id_of(user)?),
        team: TeamId(id_of(team)?),
        standing,
    })
}

/// The season that runs, as scripts read it.
pub(super) fn season_text(season: Season) -> String {
    format!("{} {}", season.number, season.ends.0)
}

/// The same, as it was written.
pub(super) fn read_head(id: &str, text: &str) -> Result<BoardHead, Fault> {
    let damaged = || Fault::Damaged("a board");
    let head: Head = serde_json::from_str(text).map_err(|_| damaged())?;
    let settings: Settings = head.settings.try_into().map_err(|_| damaged())?;
    Ok(BoardHead {
        id: BoardId::new(id).ok_or_else(damaged)?,
        settings: settings.into(),
        seq: head.seq,
        changed: Timestamp(head.changed),
        is_used: head.used,
        seasons: head
            .season
            .map_or_else(Seasons::default, |(number, ends)| Seasons {
                ended: number.saturating_sub(1),
                ends: ends.map(Timestamp),
            }),
    })
}

/// By which rules actions count on a board, as `append.lua` reads it after the number of the
/// entry that says so.
pub(super) fn rules_text(settings: &Settings) -> String {
    use crate::board::{Direction, Operator};
    let direction = |direction| match direction {
        Direction::HighestFirst => "highest",
        Direction::LowestFirst => "lowest",
    };
    let order = settings.rules.order;
    let operator = match settings.rules.operator {
        Operator::Sum => "sum",
        Operator::Best => "best",
        Operator::Latest => "latest",
        Operator::Count => "count",
    };
    let of = settings.derivation().map(|it| it.of.as_str());
    format!(
        "{operator} {} {} {} {} {} {}",
        direction(order.direction),
        order.tiebreak.map_or("-", direction),
        u8::from(settings.everyone),
        number_text(settings.starts.map(|it| it.0)),
        number_text(settings.ends.map(|it| it.0)),
        of.unwrap_or("-"),
    )
}

/// The settings of a board as they stand in its head.
pub(super) fn settings_text(settings: &Settings) -> String {
    board_settings::to_text(settings)
}

/// An action of a user's history, with its number among them. Its entry is followed by the
/// number of the board, where that is another.
pub(super) fn read_point(point: &str) -> Result<(u64, PastAction), Fault> {
    let (count, rest) = split(point)?;
    let (entry, rest) = split(rest)?;
    let (at, rest) = split(rest)?;
    let (points, rest) = split(rest)?;
    let (rank, rest) = split(rest)?;
    let (increase, action_type) = split(rest)?;
    let (entry, seq) = entry.split_once('/').unwrap_or((entry, entry));
    let scores = read_scores(points)?;
    let action = RecentAction {
        action_type: action_type.into(),
        increase: number(increase)?,
        after: HistoryPoint {
            seq: Some(read_seq(seq)?),
            at: Timestamp(number(at)?),
            score: scores.score,
            tiebreak: Some(scores.tiebreak),
            rank: some_number(rank)?,
        },
    };
    let past = PastAction {
        entry: number(entry)?,
        action,
    };
    Ok((number(count)?, past))
}

/// An action of a user's history, but for its number.
pub(super) fn point_text(past: &PastAction) -> String {
    let PastAction { entry, action } = past;
    let after = action.after;
    let number = match after.seq.filter(|seq| seq.get() != *entry) {
        None => entry.to_string(),
        Some(seq) => format!("{entry}/{}", seq.get()),
    };
    format!(
        "{number} {} {} {} {} {}",
        after.at.0,
        scores_text(after.scores()),
        number_text(after.rank),
        action.increase,
        action.action_type,
    )
}

/// What was decided about an action id, and the ranks if they are known.
pub(super) fn read_counted(id: &[u8], record: &[u8], at: Timestamp) -> Result<Counted, Fault> {
    let damaged = || Fault::Damaged("what is known of an action id");
    // On another board than `main`, or with a second score, there are more words.
    let (record, more) = match record.strip_prefix(b"b ") {
        Some(record) => (record, 2),
        None => (record, 0),
    };
    // The user's id, which comes after them, is no text.
    let mut words = record.splitn(5 + more, |byte| *byte == b' ');
    let mut next = || words.next().ok_or_else(damaged);
    let mut word = || bytes_text(next()?);
    let (seq, points, increase) = (word()?, word()?, word()?);
    let length: usize = number(word()?)?;
    let (board, second) = match more {
        0 => (MAIN, "0"),
        _ => (word()?, word()?),
    };
    let rest = next()?;
    let (user, rest) = rest.split_at_checked(16).ok_or_else(damaged)?;
    let (action_type, ranks) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let (rank, old_rank, board_seq) = match ranks {
        [] => (None, None, None),
        ranks => {
            let ranks = bytes_text(ranks)?.trim_start();
            let (rank, rest) = split(ranks)?;
            let (old_rank, board_seq) = match rest.split_once(' ') {
                Some((old_rank, board_seq)) => (old_rank, some_number(board_seq)?),
                None => (rest, None),
            };
            (some_number(rank)?, some_number(old_rank)?, board_seq)
        }
    };
    Ok(Counted {
        id: bytes_text(id)?.into(),
        seq: number(seq)?,
        at,
        board: BoardId::new(board).ok_or_else(damaged)?,
        user: UserId(id_of(user)?),
        action_type: bytes_text(action_type)?.into(),
        increase: number(increase)?,
        tiebreak_increase: number(second)?,
        scores: read_scores(points)?,
        rank,
        old_rank,
        board_seq,
    })
}

/// The same, to be written.
pub(super) fn counted_text(counted: &Counted) -> Vec<u8> {
    let mut head = format!(
        "{} {} {} {} ",
        counted.seq,
        scores_text(counted.scores),
        counted.increase,
        counted.action_type.len(),
    );
    let second = counted.tiebreak_increase;
    if counted.board.as_str() != MAIN || second != 0 {
        head = format!("b {head}{} {second} ", counted.board);
    }
    let mut record = head.into_bytes();
    record.extend(counted.user.0);
    record.extend(counted.action_type.as_bytes());
    record.extend(ranks_text([counted.old_rank, counted.rank], counted.board_seq).into_bytes());
    record
}

/// Ranks, as they are added to what was decided about an action id: then its number among the
/// facts of its board, if that is not the number of its entry.
pub(super) fn ranks_text([old_rank, rank]: [Option<u64>; 2], board_seq: Option<u64>) -> String {
    let ranks = format!(" {} {}", number_text(rank), number_text(old_rank));
    match board_seq {
        Some(board_seq) => format!("{ranks} {board_seq}"),
        None => ranks,
    }
}

/// A user's record, to be written.
pub(super) fn member_text(member: &Member) -> String {
    let best = number_text(member.best);
    format!(
        "{} {best} {} {}",
        standing_text(member.standing),
        member.registered.get(),
        profile_text(&member.profile)
    )
}

/// The names and values of an entry that has its ranks: how its user stood before it is
/// needed no more.
pub(super) fn entry_fields(
    entry: &LogEntry,
    action: Option<&str>,
    epoch: Epoch,
    nonce: u64,
) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &[u8]| fields.extend([name.into(), value.to_vec()]);
    let kind = match entry.fact {
        Fact::UserChanged { .. } => "user",
        Fact::Action(_) => "action",
        Fact::UserDeleted { .. } => "deleted",
        Fact::UserGrouped { .. } => "grouped",
        Fact::UserHidden { .. } => "hidden",
        Fact::TeamChanged { .. } => "team",
        Fact::BoardChanged { .. } => "board",
        Fact::BoardDeleted { .. } => "board_deleted",
        Fact::SeasonEnded { .. } => "season_ended",
        Fact::TokensRevoked { .. } => "revoked",
        Fact::Announced(_) => "announced",
    };
    field("kind", kind.as_bytes());
    field("epoch", epoch.to_string().as_bytes());
    field("at", entry.at.0.to_string().as_bytes());
    field("nonce", nonce_text(nonce).as_bytes());
    match &entry.fact {
        Fact::UserChanged { user, profile } => {
            field("user", &user.0);
            field("profile", profile_text(profile).as_bytes());
        }
        Fact::Action(it) => {
            field("user", &it.user.0);
            field("id", action.unwrap_or_default().as_bytes());
            field("type", it.action_type.as_bytes());
            field("increase", it.increase.to_string().as_bytes());
            field("score", scores_text(it.scores).as_bytes());
            if it.board.as_str() != MAIN {
                field("board", it.board.as_str().as_bytes());
            }
            if it.tiebreak_increase != 0 {
                field("second", it.tiebreak_increase.to_string().as_bytes());
            }
        }
        Fact::UserDeleted { user } => field("user", &user.0),
        Fact::UserGrouped { user, team, groups } => {
            field("user", &user.0);
            field("membership", membership_text(*team, groups).as_bytes());
        }
        Fact::UserHidden {
            user,
            hidden,
            reason,
        } => {
            field("user", &user.0);
            field("hidden", if *hidden { b"1" } else { b"0" });
            if let Some(reason) = reason {
                field("reason", reason.as_bytes());
            }
        }
        Fact::TeamChanged { team, profile } => {
            field("team", team.to_string().as_bytes());
            field("profile", profile_text(profile).as_bytes());
        }
        Fact::BoardChanged {
            board,
            settings,
            borders,
        } => {
            field("board", board.as_str().as_bytes());
            field("detail", detail_text(settings, borders).as_bytes());
        }
        Fact::BoardDeleted { board } => field("board", board.as_str().as_bytes()),
        Fact::SeasonEnded { board, next } => {
            field("board", board.as_str().as_bytes());
            field("next", number_text(next.map(|it| it.0)).as_bytes());
        }
        Fact::TokensRevoked { user, issued_until } => {
            field("user", &user.0);
            field("until", issued_until.to_string().as_bytes());
        }
        Fact::Announced(announcement) => {
            field("id", &announcement.id.0);
            field("from", announcement.from.0.to_string().as_bytes());
            field("until", announcement.until.0.to_string().as_bytes());
            field("what", announcement_text(announcement).as_bytes());
        }
    }
    fields
}

/// Equal profiles are equal texts: scripts compare them.
pub(super) fn profile_text(profile: &Profile) -> String {
    json!([profile.username, profile.avatar]).to_string()
}

pub(super) fn read_profile(text: &str) -> Result<Profile, Fault> {
    let (username, avatar): (Box<str>, Option<Box<str>>) =
        serde_json::from_str(text).map_err(|_| Fault::Damaged("a profile"))?;
    Ok(Profile { username, avatar })
}

/// The text and the audience of an announcement, whenever that begins and ends: scripts compare
/// it.
pub(super) fn announcement_text(announcement: &Announcement) -> String {
    let (audience, user) = match announcement.audience {
        Audience::User(UserId(user)) => (Some(USER), Some(Uuid::from_bytes(user).to_string())),
        group => (name_of(&AUDIENCES, &group), None),
    };
    json!([
        name_of(&KINDS, &announcement.kind),
        announcement.message,
        name_of(&SEVERITIES, &announcement.severity),
        audience,
        user,
        announcement.duration,
    ])
    .to_string()
}

/// An announcement of these four fields.
fn announcement(id: &[u8], from: &str, until: &str, what: &str) -> Result<Announcement, Fault> {
    let damaged = || Fault::Damaged("an announcement");
    let [kind, message, severity, audience, user, duration]: [Json; 6] =
        serde_json::from_str(what).map_err(|_| damaged())?;
    let known = |json: &Json| json.as_str().map(str::to_owned).ok_or_else(damaged);
    Ok(Announcement {
        id: AnnouncementId(id_of(id)?),
        kind: value_of(&KINDS, &known(&kind)?).map_err(|_| damaged())?,
        message: known(&message)?.into(),
        severity: value_of(&SEVERITIES, &known(&severity)?).map_err(|_| damaged())?,
        audience: match known(&audience)?.as_str() {
            USER => {
                let user = Uuid::parse_str(&known(&user)?).map_err(|_| damaged())?;
                Audience::User(UserId(user.into_bytes()))
            }
            group => value_of(&AUDIENCES, group).map_err(|_| damaged())?,
        },
        from: Timestamp(number(from)?),
        until: Timestamp(number(until)?),
        duration: duration.as_u64(),
    })
}

/// An announcement as it is stored while it may be valid, to be written.
pub(super) fn stored_announcement_text(seq: u64, announcement: &Announcement) -> String {
    let Announcement { from, until, .. } = announcement;
    let what = announcement_text(announcement);
    format!("{seq} {} {} {what}", from.0, until.0)
}

/// An announcement as it is stored while it may be valid, with the number of its entry.
pub(super) fn stored_announcement(id: &[u8], record: &[u8]) -> Result<(u64, Announcement), Fault> {
    let (seq, rest) = split(bytes_text(record)?)?;
    let (from, rest) = split(rest)?;
    let (until, what) = split(rest)?;
    Ok((number(seq)?, announcement(id, from, until, what)?))
}
