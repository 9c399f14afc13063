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
    store::words::{AUDIENCES, KINDS, SEVERITIES, USER, value, word},
};

/// An entry of the log, with what the board does not need to know.
pub(super) struct Logged {
    pub(super) entry: LogEntry,
    /// The life of the log that it belongs to.
    pub(super) epoch: Epoch,
    /// Names the call that wrote it.
    pub(super) nonce: u64,
    /// The action's id, if it is one.
    pub(super) action: Option<Box<str>>,
    /// How its user stood before it.
    pub(super) before: Before,
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

fn bytes_text(bytes: &[u8]) -> Result<&str, Fault> {
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

/// Equal profiles are equal texts: scripts compare them.
pub(super) fn profile_text(profile: &Profile) -> String {
    json!([profile.username, profile.avatar]).to_string()
}

fn read_profile(text: &str) -> Result<Profile, Fault> {
    let (username, avatar): (Box<str>, Option<Box<str>>) =
        serde_json::from_str(text).map_err(|_| Fault::Damaged("a profile"))?;
    Ok(Profile { username, avatar })
}

/// What an announcement says to whom, whenever that begins and ends: scripts compare
/// it.
pub(super) fn announcement_text(announcement: &Announcement) -> String {
    let (audience, user) = match announcement.audience {
        Audience::User(UserId(user)) => (Some(USER), Some(Uuid::from_bytes(user).to_string())),
        group => (word(&AUDIENCES, &group), None),
    };
    json!([
        word(&KINDS, &announcement.kind),
        announcement.message,
        word(&SEVERITIES, &announcement.severity),
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
        kind: value(&KINDS, &known(&kind)?).map_err(|_| damaged())?,
        message: known(&message)?.into(),
        severity: value(&SEVERITIES, &known(&severity)?).map_err(|_| damaged())?,
        audience: match known(&audience)?.as_str() {
            USER => {
                let user = Uuid::parse_str(&known(&user)?).map_err(|_| damaged())?;
                Audience::User(UserId(user.into_bytes()))
            }
            group => value(&AUDIENCES, group).map_err(|_| damaged())?,
        },
        from: Timestamp(number(from)?),
        until: Timestamp(number(until)?),
        duration: duration.as_u64(),
    })
}

/// An announcement as it is kept while it may be valid, with the number of its entry.
pub(super) fn kept_announcement(id: &[u8], record: &[u8]) -> Result<(u64, Announcement), Fault> {
    let (seq, rest) = split(bytes_text(record)?)?;
    let (from, rest) = split(rest)?;
    let (until, what) = split(rest)?;
    Ok((number(seq)?, announcement(id, from, until, what)?))
}
