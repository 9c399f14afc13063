//! Final standings in Redis, in a hash for each board. The number of a season names its head:
//! when it ended, by which entry, and with how many rows. These are in parts, so that nobody
//! has to read all of them: `2:0` names the first lines of the second season.

use std::ops::Range;

use redis::{Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    record::{array, number, read_scores, read_seq, scores_text, split, text},
};
use crate::board::{FinalPart, FinalRow, FinalStandings, Season, TeamId, Timestamp, UserId, Who};

/// Rows of a part.
const ROWS: usize = 1000;

/// Parts that are read at once: as many rows as anybody is given at once.
const PARTS: usize = FinalPart::MOST.div_ceil(ROWS) + 1;

/// The fields of a season, and their values.
pub(super) fn fields(standings: &FinalStandings) -> Vec<(Vec<u8>, Vec<u8>)> {
    let FinalStandings {
        season,
        ended_by,
        rows,
    } = standings;
    let head = format!("{} {} {}", season.ends.0, ended_by.get(), rows.len());
    let parts = rows.chunks(ROWS).enumerate().map(|(part, rows)| {
        let lines: String = rows.iter().map(line).collect();
        (field(season.number, part), lines.into_bytes())
    });
    let head = (season.number.to_string().into_bytes(), head.into_bytes());
    // Whoever finds the head finds the rows.
    parts.chain([head]).collect()
}

/// Of the seasons up to this one those that there are.
pub(super) async fn seasons(
    connection: &mut MultiplexedConnection,
    key: &str,
    last: u32,
) -> Result<Vec<Season>, Fault> {
    let mut seasons = Vec::new();
    let numbers: Vec<u32> = (1..=last).collect();
    for numbers in numbers.chunks(ROWS) {
        let mut heads = redis::cmd("HMGET");
        heads.arg(key);
        for number in numbers {
            heads.arg(number.to_string());
        }
        let found: Value = heads.query_async(connection).await?;
        for (number, head) in numbers.iter().zip(array(&found)?) {
            if !matches!(head, Value::Nil) {
                seasons.push(read_head(*number, text(head)?)?.season);
            }
        }
    }
    Ok(seasons)
}

/// The rows of a season at these positions, [`FinalPart::MOST`] at most.
pub(super) async fn part(
    connection: &mut MultiplexedConnection,
    key: &str,
    of: u32,
    positions: Range<usize>,
) -> Result<Option<FinalPart>, Fault> {
    let positions = FinalPart::positions(positions);
    let first = positions.start / ROWS;
    let parts = positions
        .end
        .div_ceil(ROWS)
        .saturating_sub(first)
        .min(PARTS);
    let mut fields = redis::cmd("HMGET");
    fields.arg(key).arg(of.to_string());
    for part in first..first + parts {
        fields.arg(field(of, part));
    }
    let found: Value = fields.query_async(connection).await?;
    let Some((head, parts)) = array(&found)?.split_first() else {
        return Err(damaged());
    };
    if matches!(head, Value::Nil) {
        return Ok(None);
    }
    let mut standings = read_head(of, text(head)?)?;
    let mut position = first * ROWS;
    for part in parts {
        // What was written before with more rows may be there still.
        if position >= standings.total {
            break;
        }
        for line in text(part)?.lines() {
            if positions.contains(&position) {
                standings.rows.push(row(line)?);
            }
            position += 1;
        }
    }
    let end = positions.end.min(standings.total);
    if standings.rows.len() != end.saturating_sub(positions.start) {
        return Err(damaged());
    }
    Ok(Some(standings))
}

/// All rows of a season.
pub(super) async fn all(
    connection: &mut MultiplexedConnection,
    key: &str,
    of: u32,
) -> Result<Option<FinalStandings>, Fault> {
    let mut all: Option<FinalStandings> = None;
    loop {
        let read = all.as_ref().map_or(0, |it| it.rows.len());
        let Some(part) = part(connection, key, of, read..usize::MAX).await? else {
            return Ok(None);
        };
        let total = part.total;
        let standings = all.get_or_insert(FinalStandings {
            season: part.season,
            ended_by: part.ended_by,
            rows: Vec::new(),
        });
        standings.rows.extend(part.rows);
        if standings.rows.len() >= total {
            return Ok(all);
        }
    }
}

/// The same of what a node has in memory.
pub(super) fn part_of(standings: &FinalStandings, positions: Range<usize>) -> FinalPart {
    let total = standings.rows.len();
    let positions = FinalPart::positions(positions);
    let (start, end) = (positions.start.min(total), positions.end.min(total));
    FinalPart {
        season: standings.season,
        ended_by: standings.ended_by,
        total,
        rows: standings.rows[start..end].to_vec(),
    }
}

fn field(of: u32, part: usize) -> Vec<u8> {
    format!("{of}:{part}").into_bytes()
}

fn line(row: &FinalRow) -> String {
    let (kind, id) = match row.who {
        Who::User(user) => ("u", user.to_string()),
        Who::Team(team) => ("t", team.to_string()),
    };
    format!("{kind} {id} {} {}\n", row.rank, scores_text(row.scores))
}

fn row(line: &str) -> Result<FinalRow, Fault> {
    let (kind, rest) = split(line)?;
    let (id, rest) = split(rest)?;
    let (rank, scores) = split(rest)?;
    let who = match kind {
        "u" => Who::User(id.parse::<UserId>().map_err(|_| damaged())?),
        "t" => Who::Team(id.parse::<TeamId>().map_err(|_| damaged())?),
        _ => return Err(damaged()),
    };
    Ok(FinalRow {
        who,
        rank: number(rank)?,
        scores: read_scores(scores)?,
    })
}

/// A season, without rows.
fn read_head(of: u32, head: &str) -> Result<FinalPart, Fault> {
    let (ends, rest) = split(head)?;
    let (ended_by, total) = split(rest)?;
    Ok(FinalPart {
        season: Season {
            number: of,
            ends: Timestamp(number(ends)?),
        },
        ended_by: read_seq(ended_by)?,
        total: number(total)?,
        rows: Vec::new(),
    })
}

fn damaged() -> Fault {
    Fault::Damaged("final standings")
}
