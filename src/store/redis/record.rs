//! How users, announcements and entries of the log are written down in Redis.
//! Scripts write the same and read it (`scripts/append.lua`): numbers are decimal text
//! with blanks between, `-` is none, and what only a node reads is JSON at the end.

use redis::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::fault::Fault;
use crate::{
    board::{
        Announcement, AnnouncementId, Audience, Epoch, Fact, LogEntry, Member, Profile, Score, Seq,
        Timestamp, UserId, ranking::Standing,
    },
    store::{
        HistoryPoint, RecentAction,
        announcement_names::{AUDIENCES, KINDS, SEVERITIES, USER, name_of, value_of},
        records::Counted,
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
    /// How its user stood before it.
    pub(super) before: Before,
    /// As far as ranks were known when it was written, where it has that field.
    pub(super) ranked_through: Option<u64>,
}

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
        let fact = match fields.text("kind")? {
            "user" => Fact::UserChanged {
                user: user()?,
                profile: read_profile(fields.text("profile")?)?,
            },
            "action" => Fact::Action {
                user: user()?,
                action_type: fields.text("type")?.into(),
                increase: number(fields.text("increase")?)?,
                score: score(fields.text("score")?)?,
            },
            "deleted" => Fact::UserDeleted { user: user()? },
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
        let is_action = matches!(fact, Fact::Action { .. });
        let action = is_action.then(|| fields.text("id")).transpose()?;
        let before = fields.get("before").ok().map(bytes_text).transpose()?;
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
            before: match before {
                None | Some("") => None,
                Some(before) => Some(standing(before)?),
            },
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

/// A score, or `-` for somebody who is not ranked.
pub(super) fn some_score(text: &str) -> Result<Option<Score>, Fault> {
    match text {
        "-" => Ok(None),
        text => score(text).map(Some),
    }
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

/// Score and moment.
fn standing(text: &str) -> Result<Option<Standing>, Fault> {
    let (points, reached) = split(text)?;
    let (Some(score), Some(reached)) = (some_score(points)?, some_number(reached)?) else {
        return Ok(None);
    };
    let standing = Standing::new(score, reached);
    standing
        .map(Some)
        .ok_or(Fault::Damaged("a standing out of range"))
}

/// A user's record: score, moment, best rank, and how the user is shown.
pub(super) fn member(id: &[u8], record: &[u8]) -> Result<Member, Fault> {
    let record = bytes_text(record)?;
    let (points, rest) = split(record)?;
    let (reached, rest) = split(rest)?;
    let (best, profile) = split(rest)?;
    Ok(Member {
        id: UserId(id_of(id)?),
        profile: read_profile(profile)?,
        standing: standing(&record[..points.len() + 1 + reached.len()])?,
        best: some_number(best)?,
    })
}

/// An action of a user's history, with its number among them.
pub(super) fn read_point(point: &str) -> Result<(u64, RecentAction), Fault> {
    let (count, rest) = split(point)?;
    let (seq, rest) = split(rest)?;
    let (at, rest) = split(rest)?;
    let (points, rest) = split(rest)?;
    let (rank, rest) = split(rest)?;
    let (increase, action_type) = split(rest)?;
    let action = RecentAction {
        action_type: action_type.into(),
        increase: number(increase)?,
        after: HistoryPoint {
            seq: read_seq(seq)?,
            at: Timestamp(number(at)?),
            score: score(points)?,
            rank: some_number(rank)?,
        },
    };
    Ok((number(count)?, action))
}

/// An action of a user's history, but for its number.
pub(super) fn point_text(after: &HistoryPoint, increase: i64, action_type: &str) -> String {
    let HistoryPoint {
        seq,
        at,
        score,
        rank,
    } = after;
    format!(
        "{} {} {} {} {increase} {action_type}",
        seq.get(),
        at.0,
        score.points(),
        number_text(*rank),
    )
}

/// The same of an action that was looked back at.
pub(super) fn action_point(action: &RecentAction) -> String {
    point_text(&action.after, action.increase, &action.action_type)
}

/// What was decided about an action id, and the ranks if they are known.
pub(super) fn read_counted(id: &[u8], record: &[u8], at: Timestamp) -> Result<Counted, Fault> {
    let damaged = || Fault::Damaged("what is known of an action id");
    // The user's id, which comes after four words, is no text.
    let mut words = record.splitn(5, |byte| *byte == b' ');
    let mut next = || words.next().ok_or_else(damaged);
    let mut word = || bytes_text(next()?);
    let (seq, points, increase) = (word()?, word()?, word()?);
    let length: usize = number(word()?)?;
    let rest = next()?;
    let (user, rest) = rest.split_at_checked(16).ok_or_else(damaged)?;
    let (action_type, ranks) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let (rank, old_rank) = match ranks {
        [] => (None, None),
        ranks => {
            let ranks = bytes_text(ranks)?.trim_start();
            let (rank, old_rank) = split(ranks)?;
            (some_number(rank)?, some_number(old_rank)?)
        }
    };
    Ok(Counted {
        id: bytes_text(id)?.into(),
        seq: number(seq)?,
        at,
        user: UserId(id_of(user)?),
        action_type: bytes_text(action_type)?.into(),
        increase: number(increase)?,
        score: score(points)?,
        rank,
        old_rank,
    })
}

/// The same, to be written.
pub(super) fn counted_text(counted: &Counted) -> Vec<u8> {
    let mut record = format!(
        "{} {} {} {} ",
        counted.seq,
        counted.score.points(),
        counted.increase,
        counted.action_type.len(),
    )
    .into_bytes();
    record.extend(counted.user.0);
    record.extend(counted.action_type.as_bytes());
    let ranks = format!(
        " {} {}",
        number_text(counted.rank),
        number_text(counted.old_rank)
    );
    record.extend(ranks.into_bytes());
    record
}

/// A user's record, to be written.
pub(super) fn member_text(member: &Member) -> String {
    let (points, reached) = match member.standing {
        Some(standing) => (
            standing.score.points().to_string(),
            standing.reached.get().to_string(),
        ),
        None => ("-".into(), "-".into()),
    };
    let best = number_text(member.best);
    format!(
        "{points} {reached} {best} {}",
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
        Fact::Action { .. } => "action",
        Fact::UserDeleted { .. } => "deleted",
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
        Fact::Action {
            user,
            action_type,
            increase,
            score,
        } => {
            field("user", &user.0);
            field("id", action.unwrap_or_default().as_bytes());
            field("type", action_type.as_bytes());
            field("increase", increase.to_string().as_bytes());
            field("score", score.points().to_string().as_bytes());
        }
        Fact::UserDeleted { user } => field("user", &user.0),
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

fn read_profile(text: &str) -> Result<Profile, Fault> {
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
