//! The picture of a board that others show beside a link to it. Pure: rows in, PNG
//! out.
//!
//! The letters are those of DejaVu Sans, which comes with the program: Latin, Greek,
//! Cyrillic, Arabic, Hebrew and more. Of what it lacks, such as Chinese and emoji, a
//! box is drawn.

use std::{
    fmt::Write,
    sync::{Arc, LazyLock},
};

use app::{
    texts::Language,
    wire::{BoardInfo, LeaderboardData, ScoreRow},
};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};
use unicode_segmentation::UnicodeSegmentation;

/// The size that Open Graph and Twitter's large cards ask for.
pub(super) const WIDTH: u32 = 1200;
/// See [`WIDTH`].
pub(super) const HEIGHT: u32 = 630;
/// How many rows fit.
pub(super) const ROWS: usize = 5;

/// The positions of what a row has, in pixels.
const LEFT: u32 = 64;
const RIGHT: u32 = WIDTH - LEFT;
const FIRST_ROW: u32 = 178;
const ROW_HEIGHT: u32 = 74;
const ROW_STEP: u32 = 84;
const NAME_LEFT: u32 = LEFT + 96;
const SCORE_RIGHT: u32 = RIGHT - 28;
/// How wide a digit of a score is, and about how wide a letter of a name.
const DIGIT: u32 = 22;
const LETTER: u32 = 20;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for face in [
        dejavu::sans_condensed::regular(),
        dejavu::sans_condensed::bold(),
    ] {
        fonts.load_font_source(resvg::usvg::fontdb::Source::Binary(Arc::new(face)));
    }
    Arc::new(fonts)
});

/// Draws the first rows of a board. `None` if it cannot be drawn, which no text that
/// is taken should bring about.
pub(super) fn png(info: &BoardInfo, board: &LeaderboardData) -> Option<Vec<u8>> {
    let options = Options {
        font_family: "DejaVu Sans".into(),
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    let tree = Tree::from_str(&svg(info, board), &options).ok()?;
    let mut pixmap = Pixmap::new(WIDTH, HEIGHT)?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    pixmap.encode_png().ok()
}

/// The colours are those of the page in the dark (`style/podium.css`).
fn svg(info: &BoardInfo, board: &LeaderboardData) -> String {
    let title = &*info.title;
    let (title_size, letters) = if title.chars().count() > 30 {
        (36, 43)
    } else {
        (50, 30)
    };
    let title = escaped(&shortened(title, letters));
    let summary = escaped(&summary(info, board));
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="DejaVu Sans" font-stretch="condensed" xml:space="preserve">
<defs>
<radialGradient id="glow" cx="0.12" cy="0" r="0.9"><stop offset="0" stop-color="#5b48d9" stop-opacity="0.38"/><stop offset="1" stop-color="#5b48d9" stop-opacity="0"/></radialGradient>
</defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#0f0e15"/>
<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#glow)"/>
<g transform="translate({LEFT} 48) scale(2.75)"><rect width="32" height="32" rx="8" fill="#5b48d9"/><g fill="#fff"><rect x="6" y="15" width="6" height="11" rx="1.5" opacity=".75"/><rect x="13" y="7" width="6" height="19" rx="1.5"/><rect x="20" y="19" width="6" height="7" rx="1.5" opacity=".55"/></g></g>
<text x="176" y="96" font-size="{title_size}" font-weight="700" fill="#f2f1f7">{title}</text>
<text x="176" y="134" font-size="25" fill="#a3a0b3">{summary}</text>
"##
    );
    let leader = board.top_scores.first().map_or(0, |row| row.score);
    for (index, row) in (0..).zip(board.top_scores.iter().take(ROWS)) {
        push_row(&mut svg, FIRST_ROW + index * ROW_STEP, row, (info, leader));
    }
    if board.top_scores.is_empty() {
        svg.push_str(
            r##"<text x="600" y="390" font-size="40" font-weight="700" fill="#a3a0b3" text-anchor="middle">Nobody is on the board yet</text>"##,
        );
    }
    svg.push_str("</svg>");
    svg
}

fn push_row(svg: &mut String, top: u32, row: &ScoreRow, (info, leader): (&BoardInfo, i64)) {
    let (bar, strength) = match row.rank {
        1 => ("#f4bf3a", "0.24"),
        2 => ("#b4bdca", "0.22"),
        3 => ("#d99362", "0.22"),
        _ => ("#a3a0b3", "0.13"),
    };
    let share = if leader > 0 && row.score > 0 {
        (row.score as f64 / leader as f64).min(1.0)
    } else {
        0.0
    };
    let width = RIGHT - LEFT;
    let filled = share * f64::from(width);
    let score = Language::English.locale().score(&info.format, row.score);
    let score_width = score.chars().count() as u32 * DIGIT;
    let score = escaped(&score);
    let name_right = SCORE_RIGHT - score_width - 24;
    let name_width = name_right - NAME_LEFT;
    let name = escaped(&shortened(&row.username, name_width / LETTER));
    let rank = row.rank;
    let (middle, baseline) = (top + ROW_HEIGHT / 2, top + 49);
    let rank_left = LEFT + 48;
    let (badge, ink) = if rank <= 3 {
        (
            format!(r##"<circle cx="{rank_left}" cy="{middle}" r="25" fill="{bar}"/>"##),
            "#1b1a22",
        )
    } else {
        (String::new(), "#a3a0b3")
    };
    // Long ranks get smaller, as long scores do on the page.
    let rank_size = match rank {
        0..=999 => 28,
        1_000..=99_999 => 20,
        _ => 13,
    };
    let fade = name_right - 48;
    // What is wider than it looks fades out before the score, and what climbs out of
    // the row is cut off.
    // Writing to a string cannot fail.
    _ = write!(
        svg,
        r##"<clipPath id="row{top}"><rect x="{LEFT}" y="{top}" width="{width}" height="{ROW_HEIGHT}" rx="18"/></clipPath>
<linearGradient id="fade{top}" gradientUnits="userSpaceOnUse" x1="{fade}" y1="0" x2="{name_right}" y2="0"><stop offset="0" stop-color="#fff"/><stop offset="1" stop-color="#000"/></linearGradient>
<mask id="name{top}" maskUnits="userSpaceOnUse" x="{NAME_LEFT}" y="{top}" width="{name_width}" height="{ROW_HEIGHT}"><rect x="{NAME_LEFT}" y="{top}" width="{name_width}" height="{ROW_HEIGHT}" fill="url(#fade{top})"/></mask>
<g clip-path="url(#row{top})"><rect x="{LEFT}" y="{top}" width="{width}" height="{ROW_HEIGHT}" fill="#1a1923"/><rect x="{LEFT}" y="{top}" width="{filled:.1}" height="{ROW_HEIGHT}" fill="{bar}" fill-opacity="{strength}"/></g>
{badge}<text x="{rank_left}" y="{rank_baseline}" font-size="{rank_size}" font-weight="700" fill="{ink}" text-anchor="middle">{rank}</text>
<g mask="url(#name{top})"><text x="{NAME_LEFT}" y="{baseline}" font-size="33" font-weight="700" fill="#f2f1f7">{name}</text></g>
<text x="{SCORE_RIGHT}" y="{baseline}" font-size="34" font-weight="700" fill="#f2f1f7" text-anchor="end">{score}</text>
"##,
        rank_baseline = middle + rank_size * 9 / 25,
    );
}

/// How many play, and when: `48 players · 23 Nov 2026, 20:04 UTC`.
fn summary(info: &BoardInfo, board: &LeaderboardData) -> String {
    let locale = Language::English.locale();
    let players = locale.count(board.total_users, info.teams);
    match time(&board.last_updated).filter(|_| board.seq > 0) {
        Some(time) => format!("{players} · {time}"),
        None => players,
    }
}

/// A time as people write it, from ISO 8601 in UTC.
fn time(iso: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (date, time) = iso.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    let day = day.trim_start_matches('0');
    Some(format!("{day} {month} {year}, {} UTC", time.get(..5)?))
}

/// The beginning of a text that is about as wide as so many letters.
fn shortened(text: &str, letters: u32) -> String {
    // Letters of East Asia and emoji are as wide as two others.
    let width = |grapheme: &str| {
        if grapheme.chars().all(|c| c < '\u{1100}') {
            1
        } else {
            2
        }
    };
    if text.graphemes(true).map(width).sum::<u32>() <= letters {
        return text.to_owned();
    }
    let mut left = letters.saturating_sub(1);
    let start = text.graphemes(true).take_while(|grapheme| {
        let fits = left >= width(grapheme);
        left = left.saturating_sub(width(grapheme));
        fits
    });
    let start: String = start.collect();
    format!("{}…", start.trim_end())
}

/// A text as it may stand in XML, where some characters may not even be escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(names: &[&str], scores: &[i64]) -> LeaderboardData {
        let rows = (1..).zip(names.iter().zip(scores));
        LeaderboardData {
            top_scores: rows
                .map(|(rank, (name, score))| ScoreRow {
                    user_id: String::new(),
                    username: (*name).to_owned(),
                    score: *score,
                    rank,
                    avatar: None,
                    tiebreak: None,
                })
                .collect(),
            total_users: 48,
            last_updated: "2026-11-03T20:04:08.946Z".into(),
            epoch: "e".into(),
            seq: 7,
            page: None,
            board: None,
        }
    }

    fn titled(title: &str) -> BoardInfo {
        BoardInfo {
            title: title.into(),
            ..BoardInfo::default()
        }
    }

    #[test]
    fn any_board_is_a_picture_of_the_right_size() {
        let long = "W".repeat(64);
        let marks = format!("a{}", "\u{335}\u{30d}\u{489}".repeat(20));
        let boards = [
            board(&[], &[]),
            board(&["Ada", "Grace", "Alan"], &[30, 20, 10]),
            board(
                &[
                    &long,
                    "</text><script>&\"'",
                    "\u{ffff}\u{fffe}",
                    &marks,
                    "👩‍🚀🇯🇵",
                ],
                &[9_007_199_254_740_991, -9_007_199_254_740_991, 0, 1, 2],
            ),
            board(
                &[
                    "نور الدين حداد",
                    "שלום עולם",
                    "山田太郎 さくら",
                    "สมชาย",
                    "नमस्ते",
                ],
                &[5, 4, 3, 2, 1],
            ),
        ];
        for board in boards {
            let png = png(&titled("Podium & <friends>"), &board).unwrap();
            assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
            let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
            assert_eq!((number(16), number(20)), (WIDTH, HEIGHT));
        }
    }

    #[test]
    fn names_are_text() {
        let svg = svg(
            &titled("<a>"),
            &board(&["</text><image href='file:///etc/passwd'/>"], &[1]),
        );
        assert!(!svg.contains("<image"), "{svg}");
        assert!(!svg.contains("<a>"), "{svg}");
    }

    #[test]
    fn long_texts_are_shortened_by_how_wide_they_are() {
        assert_eq!(shortened("Ada", 3), "Ada");
        assert_eq!(shortened("Ada Lovelace", 5), "Ada…");
        assert_eq!(shortened("山田太郎", 8), "山田太郎");
        assert_eq!(shortened("山田太郎", 6), "山田…");
        assert_eq!(shortened("👩‍🚀👩‍🚀🇩🇪🇫🇷", 8), "👩‍🚀👩‍🚀🇩🇪🇫🇷");
        assert_eq!(shortened("👩‍🚀👩‍🚀🇩🇪🇫🇷", 7), "👩‍🚀👩‍🚀🇩🇪…");
    }

    #[test]
    fn the_summary_says_how_many_and_when() {
        let mut board = board(&[], &[]);
        assert_eq!(
            summary(&titled(""), &board),
            "48 players · 3 Nov 2026, 20:04 UTC"
        );
        board.seq = 0;
        assert_eq!(summary(&titled(""), &board), "48 players");
    }

    /// Draws boards for people to look at: `SHARE_IMAGES=folder cargo test
    /// --lib looked_at -- --ignored`.
    #[test]
    #[ignore = "it is for people, who set SHARE_IMAGES to a folder"]
    fn pictures_can_be_looked_at() {
        let folder = std::env::var_os("SHARE_IMAGES").unwrap();
        let folder = std::path::Path::new(&folder);
        let long = "Wolfeschlegelsteinhausenbergerdorff the Elder of the Western Hills";
        let names = [
            "Amara Okafor",
            "Mateo Silva",
            "Zofia Kowalska",
            "Emil Novák",
            "Linh Tran",
        ];
        let hard = [
            long,
            "نور الدين حداد",
            "山田太郎 さくら",
            "Ada 👩‍🚀 Lovelace",
            "שלום עולם",
        ];
        let usual = board(&names, &[12_480, 11_930, 8_450, 7_020, 6_990]);
        let hard = board(
            &hard,
            &[9_007_199_254_740_991, 7_000_000_000_000_000, 5, 4, -30],
        );
        for (name, board) in [
            ("usual", usual),
            ("hard", hard),
            ("empty", self::board(&[], &[])),
        ] {
            std::fs::write(
                folder.join(format!("{name}.png")),
                png(&titled("Podium"), &board).unwrap(),
            )
            .unwrap();
        }
    }
}
